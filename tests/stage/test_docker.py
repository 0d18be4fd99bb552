"""docker/: the image has a Q3C that we accept, and its server takes our schema. Needs a Docker daemon that answers."""

import gc
import hashlib
import os
import re
import subprocess
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from hscdb.db import engine, migrate

FOLDER = Path(__file__).resolve().parents[2] / "docker"
FILE = FOLDER / "postgres.Dockerfile"
IMAGE = "hscdb-test-postgres:latest"
START_S = 60.0


def _need_daemon() -> None:
    """Skip where nobody answers."""
    from docker.errors import DockerException

    import docker

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves the socket open that it could not connect
        try:
            client = docker.from_env()
            client.ping()
            client.close()
        except DockerException as error:
            told = str(error)
        else:
            return
        gc.collect()
    pytest.skip(f"no Docker daemon answers ({told})")


@pytest.fixture
def served() -> Iterator[str]:
    """DSN of a server in a container."""
    _need_daemon()
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.image import DockerImage

    user = {"POSTGRES_USER": "hscdb", "POSTGRES_DB": "hscdb", "POSTGRES_PASSWORD": "test"}
    with DockerImage(path=FOLDER, tag=IMAGE, dockerfile_path=FILE.name, clean_up=False) as image:
        container = DockerContainer(str(image)).with_envs(**user).with_kwargs(shm_size="1g")
        container.ports["5432/tcp"] = ("127.0.0.1", None)  # any port, of this machine only
        with container:
            place = {"host": "127.0.0.1", "port": container.get_exposed_port(5432)}
            dsn = make_conninfo(**place, dbname="hscdb", user="hscdb", password="test")
            end = time.monotonic() + START_S
            while True:
                try:
                    psycopg.connect(dsn).close()
                    break
                except psycopg.OperationalError:
                    assert time.monotonic() < end, container.get_logs()
                    time.sleep(0.5)
            yield dsn


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
