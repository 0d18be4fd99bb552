"""What a full disk is called, by whoever says it first."""

import errno
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from hscdb.db import lost
from hscdb.errors import DiskError


def test_a_full_disk_is_told_with_its_place_and_room(tmp_path: Path):
    told = str(lost.disk_error(OSError(errno.ENOSPC, "no"), tmp_path))
    assert told.startswith(f"{tmp_path}: no space left on device (")
    assert "MB are free" in told
    assert told.endswith("run the same command again; what is done stays done.")


def test_a_place_that_is_not_ours_is_told_by_its_name():
    assert "/there: permission denied. Get the right" in str(lost.disk_error(PermissionError(13, "no", "/there")))


def test_the_servers_own_disk_is_told_however_deep_it_lies():
    driver = psycopg.errors.DiskFull('could not extend file "base/1/2"')
    with pytest.raises(DiskError, match=r"could not extend file"), lost.named():
        raise OperationalError("INSERT", {}, driver) from driver


@pytest.mark.parametrize("error", [FileNotFoundError(2, "no"), ValueError(), psycopg.errors.UniqueViolation("twice")])
def test_other_errors_are_not_the_disks(error: Exception):
    assert lost.disk_error(error) is None
    with pytest.raises(type(error)), lost.named():
        raise error
