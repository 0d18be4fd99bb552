"""Machine code that numba keeps in `__pycache__`, renewed when any function that went into it has changed.

Numba looks at a kernel's own file only: a kernel that calls one of another file keeps that one's old code within its
own when the other file changes (numba's documentation, "Notes on Caching"). A checkout that is updated would go on
computing as before. Installed packages are written anew as a whole and have no such trouble.
"""

import os
import zlib
from collections.abc import Iterator
from contextlib import suppress

_MARK = "compiled.txt"  # two numbers: of how the sources looked, of what the kernels' files held


def forget_outdated(package: str) -> int:
    """Remove kept machine code if a file with kernels has changed since the last call; how many files were removed.

    Contents are read only if a name, size or time differs. A folder that cannot be written to is left alone.
    """
    mark = os.path.join(package, "__pycache__", _MARK)
    sources = sorted((entry.path, entry.stat()) for entry in _files(package) if entry.name.endswith(".py"))
    looks = str(zlib.crc32(repr([(path, stat.st_size, stat.st_mtime_ns) for path, stat in sources]).encode()))
    known: list[str] = []
    with suppress(OSError), open(mark) as file:
        known = file.read().split()
    if known[:1] == [looks]:
        return 0
    crc = 0
    for path, _ in sources:
        with open(path, "rb") as kernels:
            content = kernels.read()
        if b"njit" in content:  # @njit and @numba.njit
            crc = zlib.crc32(os.path.relpath(path, package).encode() + b"\0" + content, crc)
    n_removed = 0
    with suppress(OSError):
        if known[1:] != [str(crc)]:
            for kept in [entry.path for entry in _files(package) if entry.name.endswith((".nbi", ".nbc"))]:
                os.unlink(kept)
                n_removed += 1
        os.makedirs(os.path.dirname(mark), exist_ok=True)
        with open(mark, "w") as file:
            file.write(f"{looks}\n{crc}\n")
    return n_removed


def _files(folder: str) -> Iterator["os.DirEntry[str]"]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _files(entry.path)
            else:
                yield entry
