"""What the server's log says about a failed start, as an error one can act upon."""

from pathlib import Path

from hscdb.errors import InputError

_CAUSES = (
    ("server_port", ("Address already in use", "could not bind")),
    ("server_disk", ("No space left", "Disk quota")),
    ("server_permission", ("ermission denied", "has wrong ownership", "invalid permissions")),
    ("server_version", ("incompatible with server", "was initialized by PostgreSQL version")),
    ("server_lock", ("lock file", "still in use")),
)
_ADVICE = {
    "server_port": "Choose another port (hscdb connect --tcp PORT).",
    "server_disk": "Make room on that disk.",
    "server_permission": "Run hscdb as the owner of the data folder.",
    "server_version": "Set HSCDB_PGBIN to the PostgreSQL that made the data.",
}


def log_tail(log: Path, at: int, n_line: int = 12) -> str:
    """The last lines of the log that were written after byte `at`."""
    try:
        with log.open("rb") as file:
            file.seek(at)
            return "\n".join(file.read().decode(errors="replace").splitlines()[-n_line:])
    except OSError:
        return "(no log)"


def error(who: Path, log: Path, at: int, what: str, code: str | None = None) -> InputError:
    """The error for a server that did not do what it was asked to.

    what : the sentence after `the server`, with what pg_ctl printed.
    code : reason code; by default it follows from the words in the log: server_port, server_disk, server_permission,
           server_version, server_lock, else server_start.
    """
    tail = log_tail(log, at)
    if code is None:
        words = tail + what
        code = next((code for code, signs in _CAUSES if any(sign in words for sign in signs)), "server_start")
    advice = _ADVICE.get(code, "Mend what the log says, or use another server by HSCDB_DSN.")
    return InputError(f"{who}: the server {what}. {advice}\nEnd of {log}:\n{tail}", code=code)
