"""Files on their way into a repository: found by what the user wrote, fingerprinted, put into their places."""

import glob
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hscdb.errors import ConfigError, InputError

MODES = ("link", "copy", "move", "skip")
_SUFFIXES = (".fits", ".fit", ".fz", ".fits.gz", ".fit.gz")


def find_files(words: Sequence[str | Path], suffixes: Sequence[str] = _SUFFIXES) -> list[Path]:
    """The files that words mean: files as they are, folders with all files of these endings below, glob patterns.

    Sorted, each once, absolute. A word that means nothing stays as a path, to be refused with a reason.
    ConfigError `no_files` if nothing is found at all.
    """
    found: dict[Path, None] = {}
    for word in words:
        path = Path(word).expanduser()
        if path.is_dir():
            inside = (Path(folder, name) for folder, _, names in os.walk(path) for name in sorted(names))
            hits = sorted(one for one in inside if one.name.endswith(tuple(suffixes)) and not one.name.startswith("."))
        elif path.exists() or not glob.has_magic(str(path)):
            hits = [path]
        else:
            hits = [Path(one) for one in sorted(glob.glob(str(path), recursive=True))]
        for hit in hits:
            found[hit.absolute()] = None
    if not found:
        raise ConfigError(
            f"ingest: no files in {' '.join(map(str, words)) or 'nothing'}. Name files, folders or patterns.",
            "no_files",
        )
    return list(found)


def fingerprint(path: Path) -> tuple[int, str]:
    """Size in bytes and SHA-256 of a file. InputError `no_file` or `no_permission`."""
    try:
        with path.open("rb") as file:
            return os.fstat(file.fileno()).st_size, hashlib.file_digest(file, "sha256").hexdigest()
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(f"{path}: no such file.", "no_file") from None
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}). Mend its permissions.", "no_permission"
        ) from error


@contextmanager
def placed(source: Path, repository: Path, relative: str, mode: str) -> Iterator[str]:
    """Put a file into the repository for the time of a transaction; yields the path to store.

    link : symbolic link; copy : a copy; move : moved (the source is removed only when all is done); skip : stays where
    it is. The file appears under its final name at once (temporary name, then rename) and goes away again if the body
    fails; what it replaces there is put back. Paths stored are relative to the repository, `skip`'s are absolute.
    """
    if mode == "skip":
        yield str(source.absolute())
        return
    target = repository / relative
    if target.exists() and target.samefile(source) and not target.is_symlink():
        yield relative  # it lies there already
        if mode == "move" and target.resolve() != source.resolve():
            source.unlink()  # a second name of it: an earlier command was killed between the two halves of the move
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".hscdb-{os.getpid()}-{target.name}")
    temporary.unlink(missing_ok=True)
    if mode == "link":
        temporary.symlink_to(source.resolve())
    elif mode == "move" and _is_linked(source, temporary):
        pass
    else:
        shutil.copyfile(source, temporary)
    before = target.with_name(f".hscdb-{os.getpid()}-{target.name}.before")
    if target.is_symlink() or target.exists():
        target.replace(before)
    temporary.replace(target)
    is_kept = False
    try:
        yield relative
        is_kept = True
    finally:
        if is_kept:
            before.unlink(missing_ok=True)
        else:
            target.unlink(missing_ok=True)
            if before.is_symlink() or before.exists():
                before.replace(target)
    if mode == "move":
        source.unlink()


def _is_linked(source: Path, target: Path) -> bool:
    """Whether a second name (hard link) for the file could be made: not across file systems."""
    try:
        os.link(source.resolve(), target)
    except OSError:
        return False
    return True
