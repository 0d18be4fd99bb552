"""The embedded server: starts anywhere, survives being killed, says what is wrong."""

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from hscdb.db import account, binaries, process
from hscdb.db.server import Server
from hscdb.errors import InputError

SMALL = {"shared_buffers": "32MB", "fsync": "off", "max_connections": "20"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server in a folder with a space, a quote and an umlaut in its name."""
    server = Server(tmp_path_factory.mktemp("my répo's "), SMALL)
    server.start()
    with psycopg.connect(server.dsn()) as connection:
        connection.execute("CREATE TABLE kept (x integer)")
        connection.execute("INSERT INTO kept VALUES (42)")
    yield server
    server.remove()


def kept(server: Server) -> list[tuple[int]]:
    with psycopg.connect(server.dsn()) as connection:
        return connection.execute("SELECT x FROM kept").fetchall()


def kill_postmaster(server: Server) -> int:
    pid = process.postmaster_pid(server.data)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    return pid


def test_a_second_start_finds_it_running(server: Server) -> None:
    before = process.postmaster_pid(server.data)
    assert Server(server.repository).start() == server.dsn()
    assert process.postmaster_pid(server.data) == before


def test_nobody_else_can_read_the_password(server: Server) -> None:
    status = (server.folder / "pgpass").stat()
    assert stat.S_IMODE(status.st_mode) == 0o600
    assert server.password() not in server.dsn()
    assert not (server.data / "pgpass").exists()
    assert stat.S_IMODE(server.data.stat().st_mode) & 0o077 == 0


def test_a_wrong_password_is_refused_by_the_server(server: Server) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.dsn(), password="guess", passfile="/dev/null")


def test_it_does_not_run_as_root(server: Server) -> None:
    pid = process.postmaster_pid(server.data)
    assert Path(f"/proc/{pid}").stat().st_uid != 0


def test_it_has_a_session_of_its_own(server: Server) -> None:
    """Ctrl-C in the terminal of the command that started it does not reach it."""
    pid = process.postmaster_pid(server.data)
    assert pid is not None
    assert os.getsid(pid) != os.getsid(0)


def test_after_kill_9_it_comes_back_with_all_that_was_committed(server: Server) -> None:
    before = kill_postmaster(server)
    server.start()
    assert process.postmaster_pid(server.data) != before
    assert kept(server) == [(42,)]


def test_a_client_killed_in_a_transaction_leaves_nothing(server: Server) -> None:
    code = (
        "import os, psycopg, sys\n"
        "c = psycopg.connect(sys.argv[1]); c.execute('INSERT INTO kept VALUES (1)'); print(flush=True)\n"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, server.dsn()], capture_output=True)
    assert kept(server) == [(42,)]


def test_a_number_that_another_process_has_now_does_not_stop_it(server: Server) -> None:
    """After the restart of a container the number in postmaster.pid is often that of something else."""
    server.stop()
    rival = server_account(server).uid
    options = {} if rival is None else {"user": rival}
    other = subprocess.Popen(["/bin/sleep", "60"], cwd="/", **options)
    try:
        (server.data / "postmaster.pid").write_text(f"{other.pid}\n{server.data}\n0\n5432\n\n\n0 0\nready\n")
        socket_lock = Path(f"{server.socket}.lock")
        socket_lock.write_text(f"{other.pid}\n{server.data}\n0\n5432\n\n")
        server.start()
        assert kept(server) == [(42,)]
    finally:
        other.kill()
        other.wait()


def server_account(server: Server) -> account.Account:
    return account.choose(server.repository, server.data)


def test_a_server_that_has_lost_its_socket_is_started_anew(server: Server) -> None:
    server.start()
    server.socket.unlink()
    server.start()
    assert kept(server) == [(42,)]


def test_a_zombie_is_dead(server: Server) -> None:
    """A killed child that nobody has waited for still has a number."""
    child = subprocess.Popen(["/bin/true"], cwd=server.data if os.geteuid() else "/")
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert process._is_zombie(child.pid)
    child.wait()


def test_stop_ends_it_and_start_brings_it_back(server: Server) -> None:
    assert server.stop()
    assert not server.running()
    assert not server.stop()
    assert server.start() == server.dsn()


def test_tcp_can_be_switched_on_and_off(server: Server) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server.listen(port)
    with psycopg.connect(server.dsn(tcp=True)) as connection:
        assert connection.execute("SELECT x FROM kept").fetchall() == [(42,)]
    assert f"port={port}" in Server(server.repository).dsn()
    server.listen(None)
    assert server.port is None
    assert kept(server) == [(42,)]


def test_a_port_in_use_is_named_and_not_kept(server: Server) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(InputError) as caught:
            server.listen(taken.getsockname()[1])
    assert caught.value.code == "server_port"
    assert server.port is None
    server.start()
    assert kept(server) == [(42,)]


def test_data_of_another_version_are_not_touched(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.stop()
    version = server.data / "PG_VERSION"
    right = version.read_text()
    version.write_text("99\n")
    try:
        with pytest.raises(InputError, match="PostgreSQL 99, which wrote the data folder") as caught:
            server.start()
    finally:
        version.write_text(right)
    assert caught.value.code == "server_version"
    server.start()
    assert kept(server) == [(42,)]


def test_a_lost_password_file_is_named(server: Server) -> None:
    path = server.folder / "pgpass"
    path.rename(path.with_suffix(".away"))
    try:
        with pytest.raises(InputError) as caught:
            server.start()
        assert caught.value.code == "server_missing"
        path.write_text("*:*:*:hscdb:wrong\n")
        path.chmod(0o600)
        with pytest.raises(InputError) as caught:
            server.start()
        assert caught.value.code == "server_password"
    finally:
        path.with_suffix(".away").replace(path)
    assert kept(server) == [(42,)]


def test_six_starts_at_once_make_one_server_even_after_a_making_cut_short(tmp_path: Path) -> None:
    """Its path is also too long for a socket, which then lies elsewhere."""
    repository = tmp_path / ("long" * 20) / "repository"
    (repository / "pgdata" / "base").mkdir(parents=True)
    code = (
        "import sys; from hscdb.db.server import Server\n"
        "print(Server(sys.argv[1], {'shared_buffers': '32MB', 'fsync': 'off'}).start())"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(repository)], stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    told = {child.communicate()[0].strip() for child in started}
    server = Server(repository)
    try:
        assert told == {server.dsn()}
        assert len(os.fsencode(server.socket)) <= 107
        assert server.running()
    finally:
        server.remove()
    assert [path.name for path in repository.iterdir()] == []
    assert not server.socket_folder.exists()


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "pgdata").mkdir()
    (tmp_path / "pgdata" / "letter").write_text("dear")
    with pytest.raises(InputError, match="holds no PostgreSQL data"):
        Server(tmp_path).start()
    assert (tmp_path / "pgdata" / "letter").read_text() == "dear"


def test_a_wrong_bin_folder_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HSCDB_PGBIN", str(tmp_path))
    with pytest.raises(InputError) as caught:
        binaries.find()
    assert caught.value.code == "server_missing"


def test_a_repository_without_a_place_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        Server(tmp_path / "absent").start()
    assert caught.value.code == "server_permission"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root drops to another account")
def test_root_changes_no_permission_on_the_way(tmp_path: Path) -> None:
    """pytest's folders are closed to others: the data lie elsewhere, and the folders stay as they are."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    before = [path.stat().st_mode for path in (closed, *closed.parents)]
    server = Server(closed, SMALL)
    try:
        server.start()
        assert (closed / "pgdata").is_symlink()
        assert closed not in server.data.parents
    finally:
        server.remove()
    assert [path.stat().st_mode for path in (closed, *closed.parents)] == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root drops to another account")
def test_binaries_that_the_account_cannot_run_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HSCDB_PGBIN", raising=False)
    own = account.choose(Path("/"), Path("/nowhere"))
    found = account.reachable(own, binaries.find())
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for name in ("bin", "lib", "share"):
        (closed / name).symlink_to(found.folder.parent / name)
    monkeypatch.setattr(account, "ELSEWHERE", Path("/tmp", f"hscdb-test-{os.getpid()}"))
    there = binaries.Binaries(closed / "bin", found.major, found.version)
    try:
        copied = account.reachable(own, there)
        assert account.ELSEWHERE in copied.folder.parents
        assert own.runs(copied.program("postgres"))
        assert account.reachable(own, there) == copied
    finally:
        subprocess.run(["/bin/rm", "-rf", str(account.ELSEWHERE)], check=True)
