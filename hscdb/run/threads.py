"""How a process uses the machine: one thread, memory kept. Nothing may be imported here but what is always loaded: the
numerical libraries look once, when they load."""

import contextlib
import ctypes
import os

# One process per task is the parallelism; threads below it only fight for the same cores.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # glibc's malloc.h
_KEPT_BYTES = 1 << 30


def limit_threads() -> None:
    """One thread per process for the numerical libraries, unless the user has said otherwise. Before numpy loads."""
    for name in _THREADS:
        os.environ.setdefault(name, "1")


def keep_memory() -> None:
    """Let freed memory serve the next array of this process instead of going back to the system.

    A frame makes and frees some fifty planes of 34 MB; glibc maps each anew and the system clears it page by page:
    0.2 of 1.7 CPU s of detect on an HSC CCD. For work in units of one size; elsewhere than on glibc nothing happens.
    """
    with contextlib.suppress(AttributeError, OSError):  # no such function: another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
