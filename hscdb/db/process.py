"""What the operating system knows of a data folder's server processes, and locks between processes."""

import fcntl
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hscdb.errors import InputError


@contextmanager
def locked(path: Path, timeout_s: float = 900.0) -> Iterator[None]:
    """Hold an exclusive lock on a file; freed by the kernel if this process dies. InputError `server_lock` if it lasts
    longer than `timeout_s`, or if the file system has no locks."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        end = time.monotonic() + timeout_s
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise InputError(
                        f"{path}: another hscdb has been starting or stopping the server for {timeout_s:.0f} s. "
                        f"See which process holds this file (fuser {path}), end it, and try again.",
                        code="server_lock",
                    ) from None
                time.sleep(0.05)
            except OSError as error:
                raise InputError(
                    f"{path}: this file system cannot lock files ({error.strerror}), so a server's data are not safe "
                    f"on it. Put the repository on a local disk, or use another server by HSCDB_DSN.",
                    code="server_lock",
                ) from error
        yield
    finally:
        os.close(handle)


def _is_zombie(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[0] in "ZX"


def server_pids(data: Path) -> list[int]:
    """Living processes of the server on a data folder: postgres processes whose working folder it is.

    Zombies are dead. Empty where there is no /proc; PostgreSQL's own check of postmaster.pid must do then.
    """
    found = []
    place = os.path.realpath(data)
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(entry / "cwd") != place or not (entry / "comm").read_text().startswith("postgres"):
                continue
        except OSError:
            continue
        if not _is_zombie(int(entry.name)):
            found.append(int(entry.name))
    return sorted(found)


def postmaster_pid(data: Path) -> int | None:
    """The pid that postmaster.pid names, if that process lives and works in this data folder."""
    try:
        pid = int((data / "postmaster.pid").read_text().split(maxsplit=1)[0])
    except (OSError, ValueError, IndexError):
        return None
    return pid if pid in server_pids(data) else None


def clear_stale(data: Path, sockets: list[Path]) -> None:
    """Remove what a killed server left: postmaster.pid and socket locks that would stop the next start.

    PostgreSQL takes any living process with the old number for its rival; after a restart of the machine or in a
    container that is often something else. Its orphaned backends, however, must be gone before the data are opened
    again: wait for them, then tell them to quit at once.
    """
    pid_file = data / "postmaster.pid"
    if not Path("/proc/self").exists() or not pid_file.exists() or postmaster_pid(data):
        return
    patience = time.monotonic() + 10.0
    asked = False
    while survivors := server_pids(data):
        if time.monotonic() > patience:
            if asked:
                raise InputError(
                    f"{data}: processes {survivors} of a killed server still use the data. End them and try again.",
                    code="server_lock",
                )
            for pid in survivors:
                os.kill(pid, signal.SIGQUIT)
            asked, patience = True, time.monotonic() + 10.0
        time.sleep(0.05)
    pid_file.unlink(missing_ok=True)
    for socket in sockets:
        socket.unlink(missing_ok=True)
        Path(f"{socket}.lock").unlink(missing_ok=True)
