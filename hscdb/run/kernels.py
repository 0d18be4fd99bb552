"""Machine code that numba has kept, loaded ahead of its first call."""

import sys
from collections.abc import Iterable
from types import CodeType, FunctionType, ModuleType
from typing import Any


def load_kept(prefix: str) -> int:
    """Load the kept machine code of the kernels that Python calls in modules whose names begin so; how many signatures
    were loaded.

    For a process that others are forked from: each would load it at its first call (40 signatures and numba's own
    beginnings: 0.4 s). What was not kept, or for another processor, is left to the first call; and what only other
    kernels call (as many again) is part of theirs.
    """
    from numba.core.dispatcher import Dispatcher

    modules = [module for name, module in list(sys.modules.items()) if name.startswith(prefix)]
    kernels = {id(each): each for module in modules for each in vars(module).values() if isinstance(each, Dispatcher)}
    called = _called(modules)
    n_loaded = 0
    for kernel in kernels.values():
        for signature in _kept(kernel) if kernel.py_func.__name__ in called else ():
            kernel.compile(signature)
            n_loaded += 1
    return n_loaded


def _called(modules: Iterable[ModuleType]) -> set[str]:
    """All names that the functions and methods of modules use; kernels are none of these."""
    codes = [code for module in modules for entry in list(vars(module).values()) for code in _codes(entry)]
    names: set[str] = set()
    while codes:
        code = codes.pop()
        names |= {*code.co_names, *code.co_freevars}
        codes += [each for each in code.co_consts if isinstance(each, CodeType)]
    return names


def _codes(entry: Any) -> list[CodeType]:
    """The code of a function, of what it is wrapped around, or of all methods of a class."""
    if isinstance(entry, type):
        return [code for member in list(vars(entry).values()) for code in _codes(member)]
    if isinstance(entry, property):
        return _codes(entry.fget)
    if isinstance(entry, staticmethod | classmethod):
        return _codes(entry.__func__)
    if isinstance(entry, FunctionType):
        return [entry.__code__, *_codes(getattr(entry, "__wrapped__", None))]
    return []


def _kept(kernel: Any) -> list[Any]:
    """Signatures of a kernel whose machine code is there for this processor.

    Numba has no public way to ask; if its inside looks different, none.
    """
    try:
        cache, codegen = kernel._cache, kernel.targetctx.codegen()
        return [key[0] for key in cache._cache_file._load_index() if key == cache._index_key(key[0], codegen)]
    except AttributeError:
        return []
