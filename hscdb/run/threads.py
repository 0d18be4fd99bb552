"""One thread per process. Nothing may be imported here: the numerical libraries look once, when they load."""

import os

# One process per task is the parallelism; threads below it only fight for the same cores.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def limit_threads() -> None:
    """One thread per process for the numerical libraries, unless the user has said otherwise. Before numpy loads."""
    for name in _THREADS:
        os.environ.setdefault(name, "1")
