"""hscdb: data reduction for wide-field mosaic cameras with PostgreSQL at its heart."""

import os.path

__version__ = "0.1.0"

_PACKAGE = os.path.dirname(os.path.abspath(__file__))
if os.path.exists(os.path.join(_PACKAGE, os.path.pardir, ".git")):  # a checkout, whose files change one by one
    from hscdb.compiled import forget_outdated

    forget_outdated(_PACKAGE)
