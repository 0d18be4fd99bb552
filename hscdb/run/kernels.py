"""Machine code that numba has kept, loaded ahead of its first call."""

import sys
from typing import Any


def load_kept(prefix: str) -> int:
    """Load the kept machine code of all kernels in modules whose names begin so; how many signatures were loaded.

    For a process that others are forked from: each would load it at its first call (70 signatures and numba's own
    beginnings: 0.7 s). What was not kept, or for another processor, is left to the first call.
    """
    from numba.core.dispatcher import Dispatcher

    modules = [module for name, module in list(sys.modules.items()) if name.startswith(prefix)]
    kernels = {id(each): each for module in modules for each in vars(module).values() if isinstance(each, Dispatcher)}
    n_loaded = 0
    for kernel in kernels.values():
        for signature in _kept(kernel):
            kernel.compile(signature)
            n_loaded += 1
    return n_loaded


def _kept(kernel: Any) -> list[Any]:
    """Signatures of a kernel whose machine code is there for this processor.

    Numba has no public way to ask; if its inside looks different, none.
    """
    try:
        cache, codegen = kernel._cache, kernel.targetctx.codegen()
        return [key[0] for key in cache._cache_file._load_index() if key == cache._index_key(key[0], codegen)]
    except AttributeError:
        return []
