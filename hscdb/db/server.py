"""The embedded server: a PostgreSQL of its own for one repository, started on demand.

    REPO/pgdata           data folder (a link, where the server's account cannot reach the repository)
    REPO/server/lock      held while the server is made, started or stopped
    REPO/server/pgpass    password file for libpq, mode 0600
    REPO/server/port      TCP port on the loopback interface, if that was switched on

The server outlives the command that started it, so the next one begins at once; `stop` ends it. Whether it runs is
decided by connecting, never by a process number: numbers are reused and zombies look alive.
"""

import os
import shutil
import time
from pathlib import Path

import psycopg

from hscdb.db import account as accounts
from hscdb.db import binaries as programs
from hscdb.db import failure, process, tuning
from hscdb.db.initialize import initialize
from hscdb.db.place import DATABASE, Place
from hscdb.errors import InputError

_SOCKET_TIMEOUT_S = 5.0  # a server makes its socket within milliseconds, before any recovery
START_TIMEOUT_S = 600  # recovery after a crash replays up to max_wal_size: about 8 s per GB
_LOG_MAX_BYTES = 10_000_000


class Server(Place):
    """The PostgreSQL server of the repository in folder `repository`.

    settings : server settings that replace those sized to the machine, e.g. {"shared_buffers": "64MB"}.
    """

    def __init__(self, repository: str | os.PathLike[str], settings: dict[str, str] | None = None) -> None:
        super().__init__(repository)
        self.settings = dict(settings or {})

    def binaries(self) -> programs.Binaries:
        """The PostgreSQL that serves this data folder, or would. InputError `server_version` if there is none."""
        version = self.data / "PG_VERSION"
        major = None
        if os.access(version, os.R_OK):
            major = int(version.read_text())
        return programs.find(major)

    def running(self) -> bool:
        """Whether the server answers now."""
        return self.exists and self._probe() == "up"

    def _probe(self) -> str:
        """`up`, `starting` or `down`, by trying to connect."""
        if not os.path.exists(self.socket):
            return "down"
        try:
            psycopg.connect(self.dsn("postgres"), connect_timeout=10).close()
        except psycopg.OperationalError as error:
            text = str(error)
            if "starting up" in text or "recovery" in text:
                return "starting"
            if "too many clients" in text or "remaining connection slots" in text:
                return "up"
            if "password authentication failed" in text:
                raise InputError(
                    f"{self.repository}: the server refuses the password in {self.folder / 'pgpass'}. "
                    f"Restore the file that was written when the data folder was made.",
                    code="server_password",
                ) from None
            return "down"
        return "up"

    def start(self) -> str:
        """Make the data folder if there is none, start the server if it does not answer, and return the DSN.

        Safe to call from many processes at once. InputError with one of the codes server_missing, server_version,
        server_permission, server_lock, server_disk, server_port, server_start.
        """
        if self.running():
            return self.dsn()
        self.make_folder()
        with process.locked(self.folder / "lock"):
            if not self.running():
                account = accounts.choose(self.repository, self.data)
                binaries = accounts.reachable(account, self.binaries())
                if not self.exists:
                    initialize(self, account, binaries)
                self._launch(account, binaries)
            self._ensure_database()
        return self.dsn()

    def stop(self) -> bool:
        """Stop the server; open transactions are rolled back. False if it was not running."""
        if not self.exists:
            return False
        with process.locked(self.folder / "lock"):
            return self._stop()

    def _stop(self) -> bool:
        if process.postmaster_pid(self.data) is None and self._probe() == "down":
            return False
        account = accounts.choose(self.repository, self.data)
        binaries = accounts.reachable(account, self.binaries())
        command = [binaries.program("pg_ctl"), "stop", "-D", str(self.data), "-m", "fast", "-w", "-t", "120"]
        told = account.run(command, cwd="/")
        if told.returncode:
            what = f"did not stop: {told.stderr.strip() or told.stdout.strip()}"
            raise failure.error(self.repository, self.log, max(0, self._log_end() - 4000), what, "server_stop")
        return True

    def listen(self, port: int | None) -> str:
        """Serve TCP on 127.0.0.1:`port` too (None: the socket only), restarting the server if that is a change.

        The choice is kept for later starts. Returns the DSN. InputError `server_port` if the port is taken.
        """
        self.make_folder()
        if port != self.port:
            self.stop()
            old = self.port
            self.write_port(port)
            try:
                return self.start()
            except InputError:
                self.write_port(old)
                raise
        return self.start()

    def remove(self) -> None:
        """Stop the server and delete its data, wherever they lie. Nothing else of the repository is touched."""
        self.stop()
        sockets = self.socket_folder
        data = self.data
        link = self.repository / "pgdata"
        if data.exists():
            shutil.rmtree(data)
        if link.is_symlink():
            link.unlink()
        if sockets != data:
            shutil.rmtree(sockets, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _launch(self, account: accounts.Account, binaries: programs.Binaries) -> None:
        sockets = self.make_socket_folder(account)
        process.clear_stale(self.data, [self.socket])
        self._write_settings(sockets)
        if self.log.exists() and self.log.stat().st_size > _LOG_MAX_BYTES:
            self.log.replace(self.log.with_suffix(".log.old"))
        at = self._log_end()
        if process.postmaster_pid(self.data) is not None and self._is_deaf():
            self._stop()
        if process.postmaster_pid(self.data) is None:
            # A session of its own: Ctrl-C in the terminal that happened to start it must not end the server.
            command = [binaries.program("pg_ctl"), "start", "-D", str(self.data), "-l", str(self.log)]
            command += ["-w", "-t", str(START_TIMEOUT_S), "-s"]
            told = account.run(command, cwd="/", start_new_session=True, env=_clean_environment())
            if told.returncode and self._probe() == "down":
                raise failure.error(self.repository, self.log, at, f"did not start: {told.stderr.strip()}")
        end = time.monotonic() + START_TIMEOUT_S
        while self._probe() != "up":
            if process.postmaster_pid(self.data) is None or time.monotonic() > end:
                raise failure.error(self.repository, self.log, at, "did not start: it does not answer")
            time.sleep(0.1)

    def _is_deaf(self) -> bool:
        """Whether a living server has lost its socket: a server of a folder that was deleted and made anew takes its
        successor's away when it ends, up to a minute later."""
        patience = time.monotonic() + _SOCKET_TIMEOUT_S
        while not os.path.exists(self.socket):
            if time.monotonic() > patience:
                return True
            time.sleep(0.1)
        return False

    def _log_end(self) -> int:
        return self.log.stat().st_size if self.log.exists() else 0

    def _write_settings(self, sockets: Path) -> None:
        settings = tuning.settings(self.data) | {
            "listen_addresses": "127.0.0.1" if self.port else "",
            "port": str(self.port or 5432),
            "unix_socket_directories": '"{}"'.format(str(sockets).replace('"', '""')),
        }
        settings |= self.settings
        lines = ["{} = '{}'\n".format(name, text.replace("'", "''")) for name, text in settings.items()]
        header = "# Written by hscdb at each start; put your own settings at the end of postgresql.conf.\n"
        path = self.data / "hscdb.conf"
        path.write_text(header + "".join(lines))
        path.chmod(0o644)

    def _ensure_database(self) -> None:
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if found is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")


def _clean_environment() -> dict[str, str]:
    """The environment without libpq's variables and with English messages."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return kept | {"LC_ALL": "C"}
