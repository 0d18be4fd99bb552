"""What a user waits for: how commands start, `--show data` on 1e5 frames, what the butler reads, a picture of a visit.

Each beside a floor of the same run: importing numpy, SQLAlchemy and psycopg; reading the same bytes with
numpy. One JSON line per case: CPU seconds of the process (best of n), of the floor, and their ratio. The server's own
time of `--show data` is in its wall time, which counts the clock.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from astropy.io import fits
from sqlalchemy import text

from hscdb.butler import Butler
from hscdb.cli import main as hscdb
from hscdb.db.engine import transaction
from hscdb.db.server import Server
from hscdb.display import style
from hscdb.display.gather import Grid
from hscdb.display.visit import Looks, of_visit
from hscdb.run.repository import Repository
from hscdb.simulate.setup import Setup
from hscdb.simulate.write import simulate
from hscdb.sky.wcs import Wcs

FLOOR = "import numpy, sqlalchemy, psycopg"
VISITS = """INSERT INTO visit (visit, data_type, filter, band, field, pointing, night, obs_start, obs_mjd, exposure_s)
SELECT 100000 + i, 'science', 'HSC-R', 'r', 'SSP', 533, DATE '2013-06-17', TIMESTAMPTZ '2013-06-17 10:00+00',
       56460.4, 30
  FROM generate_series(0, 999) AS i"""
FRAMES = """INSERT INTO frame (visit, ccd, kind, path, hdu, width_pix, height_pix, n_byte, sha256)
SELECT 100000 + i, c, 'raw', 'x/' || i || '-' || c, 0, 2048, 4176, 1, md5(i || '-' || c) || md5(c || '+' || i)
  FROM generate_series(0, 999) AS i, generate_series(0, 99) AS c"""


def child_s(words: list[str], n: int) -> tuple[float, float]:
    """CPU and wall seconds of a Python process, each the best of n."""
    found = []
    for _ in range(n):
        before, clock = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        found.append((cpu_s, time.perf_counter() - clock))
    return min(each for each, _ in found), min(each for _, each in found)


def here_s(call: Callable[[], object], n: int) -> float:
    """CPU seconds in this process, best of n."""
    found = []
    for _ in range(n):
        start = time.process_time()
        call()
        found.append(time.process_time() - start)
    return min(found)


def tell(case: str, seconds: float, floor: float, **more: float) -> None:
    """One line."""
    figures = {"case": case, "cpu_s": round(seconds, 3), "floor_s": round(floor, 3), "ratio": round(seconds / floor, 2)}
    print(json.dumps(figures | {name: round(figure, 3) for name, figure in more.items()}), flush=True)


def starts(folder: Path, n: int) -> None:
    """How commands start, and a list of 1e5 frames."""
    server = Server(folder / "big", {"fsync": "off"})
    try:
        hscdb(["init", str(folder / "big"), "--camera", "hsc"])
        with Repository.open(folder / "big") as opened, transaction(opened.engine) as connection:
            for statement in (VISITS, FRAMES, "ANALYZE visit", "ANALYZE frame"):
                connection.execute(text(statement))
        floor, _ = child_s(["-c", FLOOR], n)
        big = str(folder / "big")
        show = ["run", big, "isr..calibrate", "--rerun", "a", "--id", "--show", "data"]
        for words in (["--help"], ["query", big, "SELECT 1"], ["status", big], show, [*show[:-1], "config"]):
            cpu_s, wall_s = child_s(["-m", "hscdb", *words], n)
            said = " ".join(word for word in words if word != big)
            tell(f"hscdb {said}", cpu_s, floor, wall_s=wall_s)
    finally:
        server.remove()


def reads(folder: Path, n: int) -> None:
    """What the butler reads of a frame of 2048 x 4176 pixels, and a picture of a visit."""
    server = Server(folder / "H", {"fsync": "off"})
    try:
        simulate(folder / "sky", Setup(camera="hsc", ccds=(49, 50), n_visit=1, n_bias=0, n_dark=0, n_flat=0))
        at = str(folder / "H")
        hscdb(["init", at, "--camera", "hsc"])
        hscdb(["ingest", at, str(folder / "sky" / "raw")])
        without = ["isr.do_bias=false", "isr.do_dark=false", "isr.do_flat=false"]
        hscdb(["run", at, "isr..detect", "--rerun", "a", "--id", "-L", "warn", "--config", *without])
        with Butler(folder / "H", rerun="a") as butler:
            ids = butler.subset("calexp").cache[0]
            path = butler.get("calexp_filename", ids)[0]
            image = here_s(lambda: np.fromfile(path, np.uint8, 4 * 2048 * 4176), n)
            tell("get calexp: header, WCS, zero point", here_s(lambda: butler.get("calexp", ids).getWcs(), n), image)
            tell("get calexp: and its image", here_s(lambda: butler.get("calexp", ids).image.array, n), image)
            tell("get calexp: image, mask, variance",
                 here_s(lambda: butler.get("calexp", ids).getMaskedImage().getArrays(), n), 3 * image)  # fmt: skip
            table = butler.get("src_filename", ids)[0]
            floor = here_s(lambda: fits.getdata(table, 1)["base_PsfFlux_instFlux"].sum(), n)
            tell(
                "get src: a column (floor: astropy)",
                here_s(lambda: butler.get("src", ids).get("flux.psf").sum(), n),
                floor,
            )
            frames = butler.subset("calexp").cache
            draw = here_s(lambda: of_visit(butler, "calexp", frames, Looks(n_bin=8), style.Style()), n)
            tell("focal plane, per CCD with mask", draw / len(frames), 2 * image)
            tell("patch of 4200 x 4200, per CCD with mask", here_s(partial(gather, butler, ids), n), 2 * image)
    finally:
        server.remove()


def gather(butler: Butler, ids: dict[str, object]) -> None:
    """Read a CCD and add it to a patch that holds all of it."""
    exposure = butler.get("calexp", ids)
    wcs = exposure.getWcs().ours
    middle = tuple(float(each) for each in wcs.pixel_to_sky(1024.0, 2088.0))
    tract = Wcs(middle, (2100.0, 2100.0), np.diag([-0.168, 0.168]) / 3600.0)
    masked = exposure.getMaskedImage()
    assert Grid(tract, 0, 0, 4200, 4200).add(masked.image.array, masked.mask.array, wcs, 1.0) > 8e6


def main() -> None:
    """Run all cases, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", choices=("starts", "reads"))
    args = parser.parse_args()
    os.environ.pop("HSCDB_DSN", None)
    with tempfile.TemporaryDirectory() as folder:
        if args.only != "reads":
            starts(Path(folder), args.repeat)
        if args.only != "starts":
            reads(Path(folder), args.repeat)


if __name__ == "__main__":
    main()
