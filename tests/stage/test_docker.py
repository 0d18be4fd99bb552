"""docker/: the image has a Q3C that we accept, and its server takes our schema. Needs a Docker daemon that answers."""

import hashlib
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from hscdb.db import engine, migrate

FOLDER = Path(__file__).resolve().parents[2] / "docker"
FILE = FOLDER / "postgres.Dockerfile"
IMAGE = "hscdb-test-postgres"
START_S = 60.0


def docker(*words: str | Path) -> str:
    """What a docker command prints; skipped if there is no docker, or nobody answers it."""
    try:
        done = subprocess.run(["docker", *map(str, words)], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("docker is not installed")
    if "Cannot connect to the Docker daemon" in done.stderr:
        pytest.skip("no Docker daemon answers")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def served() -> Iterator[str]:
    """DSN of a server in a container."""
    docker("info")
    docker("build", "-t", IMAGE, "-f", FILE, FOLDER)
    user = ["-e", "POSTGRES_USER=hscdb", "-e", "POSTGRES_DB=hscdb", "-e", "POSTGRES_PASSWORD=test"]
    container = docker("run", "-d", "--rm", "--shm-size=1g", "-p", "127.0.0.1::5432", *user, IMAGE)
    try:
        host, _, port = docker("port", container, "5432/tcp").splitlines()[0].rpartition(":")
        dsn = make_conninfo(host=host, port=port, dbname="hscdb", user="hscdb", password="test")
        end = time.monotonic() + START_S
        while True:
            try:
                psycopg.connect(dsn).close()
                break
            except psycopg.OperationalError:
                assert time.monotonic() < end, docker("logs", container)
                time.sleep(0.5)
        yield dsn
    finally:
        docker("rm", "-f", container)


def test_the_image_asks_for_a_q3c_that_we_accept() -> None:
    found = re.search(r"ARG Q3C_VERSION=([\d.]+)", FILE.read_text())
    assert found is not None
    assert tuple(map(int, found[1].split("."))) >= migrate.Q3C_OLDEST


def test_the_files_of_q3c_are_compared_before_they_are_compiled(tmp_path: Path) -> None:
    """The lines of the image that do so, with files of our own in place of the release."""
    lines = FILE.read_text()
    check = "\n".join(line for line in lines.splitlines() if "sha256sum" in line or "Q3C_SHA256}" in line)
    script = re.sub(r"(?m)^ && | \\$", "", check)
    assert re.search(r"ARG Q3C_SHA256=[0-9a-f]{64}\n", lines)
    (tmp_path / "a.c").write_text("int a;\n")
    digest = hashlib.sha256(f"{hashlib.sha256(b'int a;' + bytes([10])).hexdigest()}  ./a.c\n".encode()).hexdigest()
    for wanted, is_good in ((digest, True), ("", True), ("0" * 64, False)):
        given = os.environ | {"Q3C_SHA256": wanted}
        done = subprocess.run(["bash", "-eo", "pipefail", "-c", script], cwd=tmp_path, env=given, check=False)
        assert (done.returncode == 0) == is_good


def test_the_server_of_the_image_takes_the_schema_and_searches_with_q3c(served: str) -> None:
    made = engine.connect(served, pool=False)
    migrate.migrate(made)
    assert re.match(r"Q3C 2\.\d+\.\d+, the extension", migrate.q3c_flavor(made))
    made.dispose()
    with psycopg.connect(served) as connection:
        connection.execute("CREATE TEMP TABLE a (id bigint, ra double precision, dec double precision)")
        connection.execute("INSERT INTO a SELECT n, 359.9995 + n * 0.0001, 2 FROM generate_series(1, 10) AS n")
        pairs = "SELECT count(*) FROM a JOIN a AS b ON q3c_join(a.ra, a.dec, b.ra, b.dec, 0.00015)"
        ours = "SELECT count(*) FROM xmatch('a', 'a', 0.54)"
        assert [connection.execute(each).fetchone() for each in (pairs, ours)] == [(28,), (28,)]
