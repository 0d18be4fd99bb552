"""Where the parts of a repository's server lie, and the connection string that follows from it."""

import hashlib
import os
from pathlib import Path

from psycopg.conninfo import make_conninfo

from hscdb.db import account as accounts
from hscdb.errors import InputError

USER = "hscdb"
DATABASE = "hscdb"
_SOCKET_PATH_MAX = 107  # sockaddr_un.sun_path without its final zero


class Place:
    """Folders, files, port and password of the server of the repository in folder `repository`."""

    def __init__(self, repository: str | os.PathLike[str]) -> None:
        self.repository = Path(repository).absolute()
        self.folder = self.repository / "server"

    @property
    def data(self) -> Path:
        """The data folder, links followed."""
        return Path(os.path.realpath(self.repository / "pgdata"))

    @property
    def exists(self) -> bool:
        """Whether the server was ever initialized."""
        return os.path.exists(self.data / "initialized")

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
    def socket(self) -> Path:
        """The socket itself."""
        return self.socket_folder / self._socket_name

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
                f"{self.repository}: the server has no password file {path}. Start the server (hscdb db start REPO); "
                f"if the data folder exists already, restore that file.",
                code="server_missing",
            )
        return path

    def dsn(self, database: str = DATABASE, *, tcp: bool = False) -> str:
        """libpq connection string. It holds no secret: the password is read from the password file.

        tcp : go by 127.0.0.1 instead of the socket; works after `Server.listen`.
        """
        host = "127.0.0.1" if tcp else str(self.socket_folder)
        return make_conninfo(
            host=host, port=self.port or 5432, dbname=database, user=USER, passfile=str(self._pgpass())
        )

    def write_password(self, password: str) -> None:
        """Keep the password of user `hscdb` in libpq's format, readable by this user only."""
        part = self.folder / "pgpass.part"
        part.unlink(missing_ok=True)
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"*:*:*:{USER}:{password}\n")
        part.rename(self.folder / "pgpass")

    def write_port(self, port: int | None) -> None:
        """Keep the TCP port for the next starts; None for the socket only."""
        if port is None:
            (self.folder / "port").unlink(missing_ok=True)
        else:
            (self.folder / "port").write_text(f"{port}\n")

    def make_folder(self) -> None:
        """Make REPO/server. InputError `server_permission` where that cannot be."""
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"{self.repository}: the folder `server` cannot be made ({error.strerror}). "
                f"Make the repository first (hscdb init), in a place where you may write.",
                code="server_permission",
            ) from error

    def make_socket_folder(self, account: accounts.Account) -> Path:
        """Make the socket's folder, if it is not the data folder. InputError `server_permission` if it is not ours."""
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
