"""What becomes of difficult HSC frames: rows with how good they are, or a reason; CPU seconds of each stage.

    python tests/bench/bench_extremes.py [--out FOLDER] [--keep] [--cases NAME ...] [--ccds CCD ...]

Simulated whole CCDs: in the middle (50), with a dead amplifier at the edge of the light (0), with two (33), all dead
(9), half of it without light (100); exposures of 5, 30 and 300 s, seeing of 0.4 and 1.5 arcsec, a pointing 0.3 degree
off and turned by 140 degrees, 5e5 stars per square degree, a dozen Gaia stars on a CCD, and frames spoilt on purpose
(empty, a sky too bright, trailed, electronic noise). Errors are those of stars of S/N above 50 against the truth; a
magnitude's is that of the 12-pix aperture by the frame's own zero point, so that the flat's and the pixels' areas'
gradients over the CCD, which mosaic solves, are in its scatter.
"""

import argparse
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from astropy.io import fits
from scipy.spatial import cKDTree

from hscdb.cli import main as hscdb
from hscdb.run.repository import Repository
from hscdb.simulate.setup import Setup
from hscdb.simulate.write import simulate
from hscdb.sky import sphere

CCDS = (0, 9, 33, 50, 100)
BASE = Setup(ccds=CCDS, n_visit=1, n_bias=3, n_dark=3, n_flat=3, star_density=4.0)
NONE = {"n_bias": 0, "n_dark": 0, "n_flat": 0}
CASES: dict[str, dict[str, Any]] = {
    "30 s": {},
    "5 s": {"exposure_s": 5.0},
    "300 s": {"exposure_s": 300.0},
    "seeing 0.4": {"seeing_arcsec": 0.4},
    "seeing 1.5": {"seeing_arcsec": 1.5},
    "lost": {"ccds": (33, 50)},
    "spoilt": {"ccds": (50,), "n_visit": 4},
    "crowded": {"ccds": (50,), "star_density": 35.0, "ra": 310.0},
    "sparse": {"ccds": (50,), "star_density": 0.4, "galaxy_density": 0.1, "ra": 300.0},
}
SKIES = ("30 s", "crowded", "sparse")  # of which the reference catalogs are
FIRST = {name: 902800 + 200 * number for number, name in enumerate(CASES)}
SPOILT = ("empty", "bright sky", "trailed", "noise")


def spoil(path: Path, how: str) -> None:
    """Make a raw frame unusable."""
    with fits.open(path, mode="update") as opened:
        pixels = opened[0].data.astype(np.float64)
        if how == "empty":
            pixels[:] = 1000
        elif how == "bright sky":
            pixels = np.minimum(pixels + 24000 * (pixels > 1080), 65535)
        elif how == "trailed":
            pixels = sum(np.roll(pixels, n, 0) for n in range(60)) / 60
        else:
            pixels += 90 * (np.arange(pixels.shape[0]) // 7 % 2)[:, None]
        opened[0].data = np.round(pixels).astype(np.uint16)


def lose(path: Path) -> None:
    """Write a pointing and a rotator that are wrong into a header."""
    with fits.open(path, mode="update") as opened:
        opened[0].header["RA2000"], opened[0].header["DEC2000"] = "21:23:58.0", "+00:45:10.0"
        opened[0].header["INST-PA"] = 140.0


def make(out: Path, names: list[str], ccds: tuple[int, ...]) -> dict[tuple[int, int], str]:
    """All frames of the cases, of these CCDs only; {(visit, ccd): case}."""
    cases = {}
    for name in names:
        setup = replace(BASE, first_visit=FIRST[name], **({} if name == "30 s" else NONE), **CASES[name])
        setup = replace(setup, ccds=tuple(ccd for ccd in setup.ccds if ccd in ccds))
        if not setup.ccds:
            continue
        folder = out / name.replace(" ", "_")
        simulate(folder, setup, jobs=2)
        for number, path in enumerate(sorted((folder / "raw").glob("*.fits"))):
            if name == "spoilt":
                spoil(path, SPOILT[number])
            if name == "lost":
                lose(path)
        for visit in range(setup.n_visit):
            told = f"{name}: {SPOILT[visit]}" if name == "spoilt" else name
            cases |= {(FIRST[name] + 2 * visit, ccd): told for ccd in setup.ccds}
    return cases


def run(out: Path) -> Path:
    """The whole way to calibrated frames, by commands."""
    repo = str(out / "repository")
    folders = [str(path) for path in sorted(out.glob("*/raw"))]
    skies = [folder for sky in SKIES if (folder := out / sky.replace(" ", "_")).exists()]
    steps = [
        ["init", repo, "--camera", "hsc"],
        ["ingest", repo, str(out / "30_s" / "calib"), *folders, "-j", "2"],
        *(
            ["ingest-refcat", repo, catalog, str(sky / f"refcat_{name}.fits"), "--preset", name]
            for sky in skies
            for catalog, name in (("gaia_dr3", "gaia"), ("ps1_dr1", "ps1"))
        ),
        *(["master", repo, kind, "--id", "-j", "2"] for kind in ("bias", "dark", "flat", "defects")),
        ["run", repo, "isr..calibrate", "--rerun", "hard", "--id", "-j", "2"],
    ]
    for words in steps:
        hscdb(words)  # frames that fail are what this is about
    return Path(repo)


def truth(out: Path) -> np.ndarray:
    tables = [fits.getdata(path, 1) for path in sorted(out.glob("*/truth_source.fits"))]
    names = ("visit", "ccd", "x", "y", "ra", "dec", "mag", "cloud_mag", "is_galaxy", "is_variable")
    rows = np.zeros(sum(map(len, tables)), [(name, "f8") for name in names])
    for name in names:
        rows[name] = np.concatenate([np.asarray(table[name]) for table in tables])
    return rows[(rows["is_galaxy"] == 0) & (rows["is_variable"] == 0)]


def errors(connection: Any, true: np.ndarray, visit: int, ccd: int) -> str:
    """Scatter of positions and magnitudes of bright stars against the truth."""
    found = np.array(connection.execute(
        "SELECT s.x_pix, s.y_pix, k.ra, k.dec, k.flux_njy"
        "  FROM source AS s JOIN source_sky AS k USING (run_id, source_id)"
        " WHERE s.visit = %s AND s.ccd = %s AND s.psf_flux_e > 50 * s.psf_flux_e_err AND k.flux_njy > 0"
        "   AND s.flags & 127 = 0 AND s.n_child = 0", [visit, ccd]).fetchall(), float)  # fmt: skip
    here = true[(true["visit"] == visit) & (true["ccd"] == ccd)]
    if len(found) < 5 or len(here) < 5:
        return f"{len(found)} bright sources"
    apart, which = cKDTree(np.stack([here["x"], here["y"]], 1)).query(found[:, :2])
    found, here = found[apart < 1.0], here[which[apart < 1.0]]
    off = sphere.separation(found[:, 2], found[:, 3], here["ra"], here["dec"]) * 3.6e6
    mag = 31.4 - 2.5 * np.log10(found[:, 4]) - here["mag"]
    scatter = 1.4826 * np.median(np.abs(mag - np.median(mag)))
    return f"{len(found)} stars: {np.median(off):.1f} mas, {1e3 * np.median(mag):+.0f} +- {1e3 * scatter:.0f} mmag"


def report(out: Path, repo: Path, cases: dict[tuple[int, int], str]) -> bool:
    """Print a line per frame; whether each has rows or a reason."""
    true, is_whole = truth(out), True
    opened = Repository.open(repo)
    with psycopg.connect(opened.start()) as connection:
        rows = connection.execute(
            "SELECT visit, ccd, max(reason) FILTER (WHERE reason <> 'no_input'),"
            "       max(message) FILTER (WHERE reason <> 'no_input'),"
            "       array_agg(CAST(cpu_s AS float8) ORDER BY task_id) FILTER (WHERE status = 'done'),"
            "       bool_and(status IN ('done', 'failed'))"
            "  FROM task WHERE stage IN ('isr', 'detect', 'calibrate') GROUP BY visit, ccd ORDER BY visit, ccd"
        ).fetchall()  # fmt: skip
        for visit, ccd, reason, message, cpu_s, is_ended in rows:
            seconds = " ".join(f"{float(one):.2f}" for one in cpu_s or ())
            told = str(message).partition(": ")[2].partition(". ")[0]
            tail = f"{reason}: {told}" if reason else errors(connection, true, visit, ccd)
            print(f"{cases[visit, ccd]:22s} ccd {ccd:3d}  CPU s {seconds:16s} {tail}")
            is_whole &= is_ended
    opened.close()
    return is_whole and {(visit, ccd) for visit, ccd, *_ in rows} == set(cases)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES), help="besides 30 s")
    parser.add_argument("--ccds", nargs="+", type=int, choices=CCDS, default=CCDS)
    told = parser.parse_args()
    out = told.out or Path(tempfile.mkdtemp(prefix="hscdb-extremes-"))
    cases = make(out, [name for name in CASES if name in ("30 s", *told.cases)], tuple(told.ccds))
    is_whole = report(out, run(out), cases)
    if not told.keep:
        shutil.rmtree(out)
    return 0 if is_whole else 1


if __name__ == "__main__":
    sys.exit(main())
