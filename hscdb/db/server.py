"""The embedded server: a PostgreSQL of its own for one repository, started on demand.

    REPO/pgdata           data folder (a link, where the server's account cannot reach the repository)
    REPO/server/lock      held while the server is made, started or stopped
    REPO/server/pgpass    password file for libpq, mode 0600
    REPO/server/port      TCP port on the loopback interface, if that was switched on

The server outlives the command that started it, so the next one begins at once; `stop` ends it. Whether it runs is
decided by connecting, never by a process number: numbers are reused and zombies look alive.
"""

import hashlib
import os
import secrets
import shutil
import tempfile
import time
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from hscdb.db import account as accounts
from hscdb.db import binaries as programs
from hscdb.db import process, tuning
from hscdb.errors import InputError

USER = "hscdb"
DATABASE = "hscdb"
START_TIMEOUT_S = 600  # recovery after a crash replays up to max_wal_size: about 8 s per GB
_SOCKET_PATH_MAX = 107  # sockaddr_un.sun_path without its final zero
_LOG_MAX_BYTES = 10_000_000
_DISK_MIN_BYTES = 200_000_000


class Server:
    """The PostgreSQL server of the repository in folder `repository`.

    settings : server settings that replace those sized to the machine, e.g. {"shared_buffers": "64MB"}.
    """

    def __init__(self, repository: str | os.PathLike[str], settings: dict[str, str] | None = None) -> None:
        self.repository = Path(repository).absolute()
        self.folder = self.repository / "server"
        self.settings = dict(settings or {})

    @property
    def data(self) -> Path:
        """The data folder, links followed."""
        return Path(os.path.realpath(self.repository / "pgdata"))

    @property
    def exists(self) -> bool:
        """Whether the server was ever initialized."""
        return (self.data / "initialized").exists()

    @property
    def port(self) -> int | None:
        """TCP port on 127.0.0.1; None when only the socket is served."""
        try:
            return int((self.folder / "port").read_text())
        except FileNotFoundError:
            return None

    @property
    def socket_folder(self) -> Path:
        """Where the socket lies: in the data folder or, if its path is too long for a socket, below /tmp."""
        if len(os.fsencode(self.data / self._socket_name)) <= _SOCKET_PATH_MAX:
            return self.data
        return Path("/tmp", "hscdb-" + hashlib.sha256(os.fsencode(self.data)).hexdigest()[:16])

    @property
    def _socket_name(self) -> str:
        return f".s.PGSQL.{self.port or 5432}"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.data / "server.log"

    def password(self) -> str:
        """The password of user `hscdb`. InputError `server_missing` if there is no server yet."""
        return self._pgpass().read_text().strip().rpartition(":")[2]

    def _pgpass(self) -> Path:
        path = self.folder / "pgpass"
        if not os.access(path, os.R_OK):
            if path.exists():
                raise InputError(
                    f"{path}: you may not read the password file. Run hscdb as the owner of the repository.",
                    code="server_permission",
                )
            raise InputError(
                f"{self.repository}: the server has no password file {path}. Start the server (hscdb db start); "
                f"if the data folder exists already, restore that file.",
                code="server_missing",
            )
        return path

    def dsn(self, database: str = DATABASE, *, tcp: bool = False) -> str:
        """libpq connection string. It holds no secret: the password is read from the password file.

        tcp : go by 127.0.0.1 instead of the socket; ConfigError-free only after `listen`.
        """
        host = "127.0.0.1" if tcp else str(self.socket_folder)
        return make_conninfo(
            host=host, port=self.port or 5432, dbname=database, user=USER, passfile=str(self._pgpass())
        )

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
        if not (self.socket_folder / self._socket_name).exists():
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
        self._require_folder()
        with process.locked(self.folder / "lock"):
            if not self.running():
                account = accounts.choose(self.repository, self.data)
                binaries = accounts.reachable(account, self.binaries())
                if not self.exists:
                    self._initialize(account, binaries)
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
            raise self._failure("server_stop", f"did not stop: {told.stderr.strip() or told.stdout.strip()}")
        return True

    def listen(self, port: int | None) -> str:
        """Serve TCP on 127.0.0.1:`port` too (None: the socket only), restarting the server if that is a change.

        The choice is kept for later starts. Returns the DSN. InputError `server_port` if the port is taken.
        """
        self._require_folder()
        if port != self.port:
            self.stop()
            old = self.port
            self._write_port(port)
            try:
                return self.start()
            except InputError:
                self._write_port(old)
                raise
        return self.start()

    def _write_port(self, port: int | None) -> None:
        if port is None:
            (self.folder / "port").unlink(missing_ok=True)
        else:
            (self.folder / "port").write_text(f"{port}\n")

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

    def _require_folder(self) -> None:
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"{self.repository}: the folder `server` cannot be made ({error.strerror}). "
                f"Make the repository first (hscdb init), in a place where you may write.",
                code="server_permission",
            ) from error

    def _initialize(self, account: accounts.Account, binaries: programs.Binaries) -> None:
        free = shutil.disk_usage(self.repository).free
        if free < _DISK_MIN_BYTES:
            raise InputError(
                f"{self.repository}: {free / 1e6:.0f} MB are free, a new server needs {_DISK_MIN_BYTES / 1e6:.0f} MB. "
                f"Make room, or put the repository on another disk.",
                code="server_disk",
            )
        link = self.repository / "pgdata"
        if link.is_symlink() and not link.exists():
            link.unlink()
        elif link.exists() and any(link.iterdir()):
            self._clear_half_made(link)
        data = accounts.make_data_folder(account, link) if not link.is_symlink() else self.data
        password = secrets.token_urlsafe(24)
        with tempfile.NamedTemporaryFile("w", prefix="hscdb-") as file:
            file.write(password + "\n")
            file.flush()
            account.give(Path(file.name))
            command = [binaries.program("initdb"), "-D", str(data), "--username", USER, "--pwfile", file.name]
            command += ["--encoding=UTF8", "--no-locale", "--data-checksums", "--no-sync"]
            command += ["--auth-local=scram-sha-256", "--auth-host=scram-sha-256"]
            told = account.run(command, cwd="/")
        if told.returncode:
            raise InputError(
                f"{data}: initdb of PostgreSQL {binaries.version} failed: {told.stderr.strip()[-1500:]}. "
                f"Remove the cause, or use another server by HSCDB_DSN.",
                code="server_disk" if "No space left" in told.stderr else "server_start",
            )
        with (data / "postgresql.conf").open("a") as conf:
            conf.write("\ninclude_if_exists = 'hscdb.conf'\n")
        self._write_pgpass(password)
        (data / "initialized").touch()

    def _clear_half_made(self, link: Path) -> None:
        """Empty a data folder whose making was cut short; refuse a folder with anything else in it."""
        if not (link / "PG_VERSION").exists() and not (link / "base").exists():
            raise InputError(
                f"{link}: is not empty and holds no PostgreSQL data. Move it away and try again.", code="server_disk"
            )
        shutil.rmtree(link.resolve())
        link.unlink(missing_ok=True)

    def _write_pgpass(self, password: str) -> None:
        path = self.folder / "pgpass"
        part = path.with_suffix(".part")
        part.unlink(missing_ok=True)
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"*:*:*:{USER}:{password}\n")
        part.rename(path)

    def _launch(self, account: accounts.Account, binaries: programs.Binaries) -> None:
        sockets = self._make_socket_folder(account)
        process.clear_stale(self.data, [sockets / self._socket_name])
        self._write_settings(sockets)
        if self.log.exists() and self.log.stat().st_size > _LOG_MAX_BYTES:
            self.log.replace(self.log.with_suffix(".log.old"))
        at = self.log.stat().st_size if self.log.exists() else 0
        if process.postmaster_pid(self.data) is None:
            # A session of its own: Ctrl-C in the terminal that happened to start it must not end the server.
            command = [binaries.program("pg_ctl"), "start", "-D", str(self.data), "-l", str(self.log)]
            command += ["-w", "-t", str(START_TIMEOUT_S), "-s"]
            told = account.run(command, cwd="/", start_new_session=True, env=_clean_environment())
            if told.returncode and self._probe() == "down":
                raise self._start_failure(at, told.stderr)
        end = time.monotonic() + START_TIMEOUT_S
        while self._probe() != "up":
            if process.postmaster_pid(self.data) is None or time.monotonic() > end:
                raise self._start_failure(at, "the server does not answer")
            time.sleep(0.1)

    def _make_socket_folder(self, account: accounts.Account) -> Path:
        folder = self.socket_folder
        if folder == self.data:
            return folder
        try:
            folder.mkdir(mode=0o700)
            account.give(folder)
        except FileExistsError:
            status = folder.lstat()
            if folder.is_symlink() or status.st_uid != account.effective_uid or status.st_mode & 0o077:
                raise InputError(
                    f"{folder}: this folder for the server's socket belongs to somebody else. "
                    f"Remove it, or put the repository where its path is shorter.",
                    code="server_permission",
                ) from None
        return folder

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

    def _start_failure(self, at: int, told: str) -> InputError:
        tail = self._log_tail(at)
        causes = (
            ("server_port", ("Address already in use", "could not bind")),
            ("server_disk", ("No space left", "Disk quota")),
            ("server_permission", ("ermission denied", "has wrong ownership", "invalid permissions")),
            ("server_version", ("incompatible with server", "was initialized by PostgreSQL version")),
            ("server_lock", ("already exists", "still in use")),
        )
        text = tail + told
        code = next((code for code, words in causes if any(word in text for word in words)), "server_start")
        return self._failure(code, f"did not start: {told.strip()}", at)

    def _failure(self, code: str, what: str, at: int = 0) -> InputError:
        advice = {
            "server_port": f"Choose another port than {self.port}.",
            "server_disk": "Make room on that disk.",
            "server_permission": "Run hscdb as the owner of the data folder.",
            "server_version": "Set HSCDB_PGBIN to the PostgreSQL that made the data.",
        }.get(code, "Mend what the log says, or use another server by HSCDB_DSN.")
        return InputError(
            f"{self.repository}: the server {what}. {advice}\nEnd of {self.log}:\n{self._log_tail(at)}", code=code
        )

    def _log_tail(self, at: int = 0) -> str:
        try:
            with self.log.open("rb") as file:
                file.seek(at)
                return "\n".join(file.read().decode(errors="replace").splitlines()[-12:])
        except OSError:
            return "(no log)"


def _clean_environment() -> dict[str, str]:
    """The environment without libpq's variables and with English messages."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return kept | {"LC_ALL": "C"}
