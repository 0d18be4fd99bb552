"""`python -m hscdb` is the hscdb command."""

import sys

from hscdb.cli import main

sys.exit(main())
