"""The making of a data folder: initdb with passwords, checksums and UTF-8."""

import os
import secrets
import shutil
import tempfile
from pathlib import Path

from hscdb.db import account as accounts
from hscdb.db.binaries import Binaries
from hscdb.db.place import USER, Place
from hscdb.errors import InputError

_DISK_MIN_BYTES = 200_000_000  # an empty data folder has 39 MB, its first segments of WAL 16 MB each


def initialize(place: Place, account: accounts.Account, binaries: Binaries) -> None:
    """Make the data folder and the password file. The mark `initialized` is set last, so that a making that was cut
    short is begun anew. InputError `server_disk`, `server_permission` or `server_start`."""
    free = shutil.disk_usage(place.repository).free
    if free < _DISK_MIN_BYTES:
        raise InputError(
            f"{place.repository}: {free / 1e6:.0f} MB are free, a new server needs {_DISK_MIN_BYTES / 1e6:.0f} MB. "
            f"Make room, or put the repository on another disk.",
            code="server_disk",
        )
    link = place.repository / "pgdata"
    _clear_half_made(link)
    data = accounts.make_data_folder(account, link)
    password = secrets.token_urlsafe(24)
    _initdb(account, binaries, data, password)
    with (data / "postgresql.conf").open("a") as conf:
        conf.write("\ninclude_if_exists = 'hscdb.conf'\n")
    place.write_password(password)
    (data / "initialized").write_text(f"{place.repository}\n")


def _initdb(account: accounts.Account, binaries: Binaries, data: Path, password: str) -> None:
    with tempfile.NamedTemporaryFile("w", prefix="hscdb-") as file:  # mode 0600; initdb reads it as the account
        file.write(password + "\n")
        file.flush()
        account.give(Path(file.name))
        command = [binaries.program("initdb"), "-D", str(data), "--username", USER, "--pwfile", file.name]
        command += ["--encoding=UTF8", "--no-locale", "--data-checksums"]
        command += ["--auth-local=scram-sha-256", "--auth-host=scram-sha-256"]
        told = account.run(command, cwd="/")
    if told.returncode:
        raise InputError(
            f"{data}: initdb of PostgreSQL {binaries.version} failed: {told.stderr.strip()[-1500:]}. "
            f"Remove the cause, or use another server by HSCDB_DSN.",
            code="server_disk" if "No space left" in told.stderr else "server_start",
        )


def _clear_half_made(link: Path) -> None:
    """Take away what a making that was cut short has left; refuse a folder with anything else in it."""
    target = Path(os.path.realpath(link))
    if target.is_dir() and any(target.iterdir()):
        if not (target / "PG_VERSION").exists() and not (target / "base").exists():
            raise InputError(
                f"{link}: is not empty and holds no PostgreSQL data. Move it away and try again.", code="server_disk"
            )
        shutil.rmtree(target)
    elif target.is_dir():
        target.rmdir()
    if link.is_symlink():
        link.unlink()
