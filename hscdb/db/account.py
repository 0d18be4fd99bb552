"""Under which account the embedded server runs, and where that account can reach things.

PostgreSQL refuses to run as root. Under root the server therefore runs as another account: the owner of the
repository, else `postgres`, else `nobody`. Permissions of existing folders are never changed; what the account cannot
reach (a repository below /root, the wheel of a root-owned environment) is put below /var/lib/hscdb instead.
"""

import hashlib
import os
import pwd
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hscdb.db.binaries import Binaries, inspect
from hscdb.errors import InputError

ELSEWHERE = Path("/var/lib/hscdb")
_PARTS = ("bin", "lib", "share")  # of a PostgreSQL that may be moved, as those in wheels


@dataclass(frozen=True)
class Account:
    """Who runs the server. `uid` is None when that is simply the present user."""

    uid: int | None
    gid: int | None
    name: str

    @property
    def effective_uid(self) -> int:
        """Number of the user that the server runs as."""
        return os.geteuid() if self.uid is None else self.uid

    def run(self, command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command as this account, output captured as text.

        InputError `server_permission` if this process may not change its user.
        """
        if self.uid is not None:
            options.update(user=self.uid, group=self.gid, extra_groups=[])
        try:
            return subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", **options
            )
        except PermissionError as error:
            raise InputError(
                f"account {self.name}: {command[0]} cannot be run ({error.strerror}). "
                f"Run hscdb as an ordinary user, or use another server by HSCDB_DSN.",
                code="server_permission",
            ) from error

    def runs(self, program: str) -> bool:
        """Whether the account can run a program of PostgreSQL."""
        return self.run(["/bin/sh", "-c", 'exec "$1" --version', "sh", program], cwd="/").returncode == 0

    def can(self, test: str, path: Path) -> bool:
        """Whether the account passes the shell's test (-r, -w, -x) on a path."""
        return self.run(["/bin/sh", "-c", f'test {test} "$1"', "sh", str(path)], cwd="/").returncode == 0

    def give(self, path: Path) -> None:
        """Make this account the owner of a file or folder that hscdb has just made."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)


def choose(repository: Path, data: Path) -> Account:
    """The account for a repository's server: the present user or, under root, one without privileges.

    InputError `server_permission` if the data folder belongs to somebody else.
    """
    me = os.geteuid()
    owner = data.stat().st_uid if data.exists() else None
    if me != 0:
        if owner not in (None, me):
            raise InputError(
                f"{data}: the data folder belongs to user {_name(owner)}, not to {_name(me)}. "
                f"Run hscdb as {_name(owner)}, or connect to a server of your own by HSCDB_DSN.",
                code="server_permission",
            )
        return Account(None, None, _name(me))
    for uid in (owner, repository.stat().st_uid):
        if uid:
            return Account(uid, _group(uid), _name(uid))
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid, name)
    raise InputError(
        "root: PostgreSQL does not run as root, and there is no account postgres or nobody to run it. "
        "Run hscdb as an ordinary user, or use another server by HSCDB_DSN.",
        code="server_permission",
    )


def _name(uid: int | None) -> str:
    if uid is None:
        return "nobody"
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(uid: int) -> int:
    try:
        return pwd.getpwuid(uid).pw_gid
    except KeyError:
        return uid


def make_data_folder(account: Account, data: Path) -> Path:
    """Make the empty, private data folder; where the account cannot reach it, elsewhere with a link to it. Its path."""
    try:
        data.mkdir(mode=0o700)
    except FileExistsError:
        pass
    account.give(data)
    if account.can("-w", data) and account.can("-x", data):
        return data
    data.rmdir()
    ELSEWHERE.mkdir(mode=0o755, parents=True, exist_ok=True)
    # A random name: a repository made anew at the same path must not find the old one's data.
    target = ELSEWHERE / f"data-{secrets.token_hex(8)}"
    target.mkdir(mode=0o700)
    account.give(target)
    if not account.can("-w", target):
        raise InputError(
            f"account {account.name}: can write neither to {data} nor to {target}. "
            f"Put the repository where that account can reach it, or use another server by HSCDB_DSN.",
            code="server_permission",
        )
    data.symlink_to(target)
    return target


def reachable(account: Account, binaries: Binaries) -> Binaries:
    """The same PostgreSQL, in a copy below /var/lib/hscdb if the account cannot run it where it is."""
    if account.uid is None or account.runs(binaries.program("postgres")):
        return binaries
    if not all((binaries.folder.parent / name).is_dir() for name in _PARTS):
        raise InputError(
            f"account {account.name}: cannot run PostgreSQL {binaries.version} in {binaries.folder}. "
            f"Set HSCDB_PGBIN to a bin folder that every user can run.",
            code="server_permission",
        )
    stamp = f"{binaries.folder.resolve()} {binaries.version} {(binaries.folder / 'postgres').stat().st_mtime_ns}"
    target = ELSEWHERE / f"pg-{binaries.version}-{hashlib.sha256(stamp.encode()).hexdigest()[:12]}"
    if not target.exists():
        ELSEWHERE.mkdir(mode=0o755, parents=True, exist_ok=True)
        part = ELSEWHERE / f".{target.name}-{secrets.token_hex(4)}"
        part.mkdir(mode=0o755)
        for name in _PARTS:
            shutil.copytree(binaries.folder.parent / name, part / name, symlinks=True)
        for folder, names, files in os.walk(part):
            for entry in [*names, *files]:
                path = Path(folder, entry)
                if not path.is_symlink():
                    path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
        try:
            part.rename(target)
        except OSError:  # another process was faster
            shutil.rmtree(part)
    copied = inspect(target / "bin")
    if copied is None or not account.runs(copied.program("postgres")):
        raise InputError(
            f"account {account.name}: can run PostgreSQL neither in {binaries.folder} nor in {target}. "
            f"Set HSCDB_PGBIN to a bin folder that every user can run.",
            code="server_permission",
        )
    return copied
