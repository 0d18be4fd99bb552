"""Three frame stages in a chain, and one of tracts. What they do is told by files in the repository's folder `orders`.

orders/fail-<ccd>  : `first` raises a DataError for this ccd.
orders/bug-<ccd>   : `second` raises a ZeroDivisionError for this ccd.
orders/kill-<ccd>  : `second` kills its own process for this ccd, once (the file is taken away before).
orders/stop-<ccd>  : `second` gets a Ctrl-C for this ccd while it waits for a statement, once.
orders/leave       : `second` leaves its product to `third`, where that follows.
orders/fail-third-<ccd>, kill-third-<ccd> : as above, of `third`.
orders/slow        : each `second` takes as many seconds as the file says.
orders/hold-<visit>: `second` waits for as long as this file is there.
orders/meet        : `second` waits until two processes have come to it.
"""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hscdb.db import copy
from hscdb.db.engine import driver
from hscdb.errors import DataError
from hscdb.run.config import setting
from hscdb.run.stage import Files, Funnel, Work, registered, stage


@dataclass(frozen=True)
class Config:
    """Settings of the tests."""

    n_row: int = setting(3, "rows to write per task")


def order(work: Work, kind: str) -> Path:
    """The file that orders something for this unit."""
    return work.repository / "orders" / f"{kind}-{work.unit.get('ccd')}"


def _residuals(work: Work, n_row: int) -> None:
    """Rows whose content is told by the unit alone: equal however often and by whom they are made."""
    rows = np.zeros(
        n_row,
        [("run_id", "i8"), ("task_id", "i8"), ("visit", "i8"), ("ccd", "i4"), ("x_pix", "f8"), ("y_pix", "f8"),
         ("snr", "f8"), ("is_reserved", "?"), ("is_rejected", "?")],
    )  # fmt: skip
    rows["run_id"], rows["task_id"] = work.run_id, work.task_id
    rows["visit"], rows["ccd"] = work.unit["visit"], work.unit["ccd"]
    rows["x_pix"], rows["y_pix"] = np.arange(n_row), work.unit["visit"] % 97 + np.arange(n_row) / 7
    copy.write(work.connection, "psf_star", rows)


def _meet(place: Path, patience_s: float = 60.0) -> None:
    """If that file is there, wait for another process to come here too."""
    if not place.exists():
        return
    place.with_name(f"met-{os.getpid()}").touch()
    end = time.monotonic() + patience_s
    while len(list(place.parent.glob("met-*"))) < 2:
        assert time.monotonic() < end, "nobody came"
        time.sleep(0.01)


@dataclass(frozen=True)
class Left:
    """What `second` leaves to `third`."""

    task_id: int
    text: str
    last: str = "fake_third"

    def write(self, files: Files, **ids: int) -> None:
        """Write it as it is."""
        with files.writing("calexp", **ids) as path:
            path.write_text(self.text)


@stage("fake_first", per="frame", config=Config)
def first(work: Work, config: Config) -> Funnel:
    """Write a product that the second consumes."""
    if order(work, "fail").exists():
        raise DataError(f"visit={work.unit['visit']} ccd={work.unit['ccd']}: too dark (0 vs 1).", code="too_dark")
    with work.files.writing("postISRCCD", **work.unit) as path:
        path.write_text(f"first {work.unit}")
    work.carry["first"] = "carried"
    return {"n_pixel": 10}


@stage("fake_second", per="frame", config=Config, writes=("psf_star",), needs=("fake_first",))
def second(work: Work, config: Config) -> Funnel:
    """Consume the first's product and write rows and a product of its own."""
    assert work.files.find("postISRCCD", **work.unit).read_text() == f"first {work.unit}"
    _residuals(work, config.n_row)
    left = Left(work.task_id, f"second {work.unit}")
    if (work.repository / "orders" / "leave").exists() and "fake_third" in work.options["followed_by"]:
        work.files.promise("calexp", **work.unit)
        work.carry["unwritten"] = left
    else:
        left.write(work.files, **work.unit)
    slow = work.repository / "orders" / "slow"
    if slow.exists():
        time.sleep(float(slow.read_text()))
    hold = slow.with_name(f"hold-{work.unit['visit']}")
    while hold.exists():
        time.sleep(0.01)
    _meet(slow.with_name("meet"))
    stop = order(work, "stop")
    if stop.exists():
        stop.unlink()
        driver(work.connection).pgconn.send_query(b"SELECT 1")
        signal.raise_signal(signal.SIGINT)
    kill = order(work, "kill")
    if kill.exists():
        kill.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    if order(work, "always-kill").exists():
        os.kill(os.getpid(), signal.SIGKILL)
    if order(work, "bug").exists():
        return {"n_star": 1 // 0}
    work.files.sweep("postISRCCD", **work.unit)
    return {"n_star": config.n_row}


@stage("fake_third", per="frame", config=Config, needs=("fake_second",))
def third(work: Work, config: Config) -> Funnel:
    """Change the second's product in its place, or write what it has left."""
    if order(work, "fail-third").exists():
        raise DataError(f"visit={work.unit['visit']} ccd={work.unit['ccd']}: too bright (1 vs 0).", code="too_bright")
    kill = order(work, "kill-third")
    if kill.exists():
        kill.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    left = work.carry.get("unwritten")
    old = left.text if left else work.files.find("calexp", **work.unit).read_text()
    with work.files.writing("calexp", **work.unit) as path:
        path.write_text(old.removesuffix(" calibrated") + " calibrated")
    return {"n_calibrated": 1}


FIRST, SECOND, THIRD = (registered(f"fake_{name}") for name in ("first", "second", "third"))
KNOWN = {each.name: each for each in (FIRST, SECOND, THIRD)}
CONFIGS = {each.name: each.config for each in (FIRST, SECOND, THIRD)}
