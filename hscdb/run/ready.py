"""Imported last by the process that workers are forked from: what their first frame would load, loaded for all of them.

The first frame of a process costs 1.5 CPU s more than the next ones, mostly machine code that numba has kept, and
numba's own beginnings.
"""

import gc
import sys
from importlib import import_module

from hscdb.run.kernels import load_kept

# what a stage imports when it comes to it, because commands that only look at settings do without
_LATER = {
    "hscdb.detect.stage": ("astropy.table",),  # by the first table that astropy writes
    "hscdb.calibrate.stage": ("scipy.spatial", "scipy.special"),
}

for _module in [name for stage, names in _LATER.items() if stage in sys.modules for name in names]:
    import_module(_module)
load_kept("hscdb.")
gc.freeze()  # else the workers' first collection touches, and so copies, all of it
gc.enable()  # see begin.py
