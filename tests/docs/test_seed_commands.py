"""hscPipe's manuals come true: their command lines run as they are printed and leave the files they name, and their
code runs in Python 3 with one line of imports changed.

Only the names of data differ: fields and visits of the manuals stand for those of the small sky that is simulated here.
"""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

from hscdb.cli import main, old
from hscdb.cli.heritage import HEIRS
from hscdb.db.server import Server
from hscdb.simulate.setup import Setup
from hscdb.simulate.write import simulate

SETUP = Setup(
    camera="toy", n_visit=3, star_density=40.0, galaxy_density=1.0, dither_ccd=0.2, n_bias=2, n_dark=2, n_flat=2,
    filters=("HSC-I",), first_visit=902798,
)  # fmt: skip
VISITS, CCDS = (902798, 902800, 902802), range(4)
# data of the manuals -> data of the simulation
STANDS_FOR = {
    "field=test_field": "field=SIMULATION", "field=NGC604": "field=SIMULATION",
    "visit=20878..20890:2": "visit=902798..902808:2", "visit=903160..903168:2": "visit=902798..902808:2",
}  # fmt: skip
PICTURES = ("DFlux2D.png", "ResFlux.png", "MdM.png", "PosDPos.png", "ResPosScatter.png", "catalog.fits", "ccd.dat",
            "ccdScale.dat", "coeffs.dat", "dmag.dat", "dpos.dat")  # fmt: skip
BY_VISIT = ("ResPosArrow2D", "fcont", "jcont")


def per_frame(run: str, place: str) -> list[str]:
    """The files of all frames: {v} and {c} stand for visit and ccd, {p} for hscPipe's pointing and filter."""
    return [f"rerun/{run}/" + place.format(v=f"{v:07d}", c=f"{c:03d}", p="*/HSC-I") for v in VISITS for c in CCDS]


def diagnostics(folder: str) -> list[str]:
    """What mosaic leaves in the folder of --diagDir, which has one folder per tract."""
    by_visit = [f"{name}_{visit}.png" for name in BY_VISIT for visit in VISITS]
    return [f"{folder}/0000/{name}" for name in (*PICTURES, *by_visit)]


@dataclass(frozen=True)
class Line:
    """A command line of a manual: what it must leave (below the repository) and what it must print."""

    text: str
    files: tuple[str, ...] = ()
    said: str = ""


_V = "{v}-{c}.fits"
LINES = (
    # Getting started tutorial, part 2
    Line("processCcd.py DATA --rerun processCcdOutputs --id --show data", said=r"id dataRef.dataId = \{.*'visit': 9027"),
    Line("processCcd.py DATA --rerun processCcdOutputs --id filter=HSC-I --show data", said="'filter': 'HSC-I'"),
    Line(
        "processCcd.py DATA --rerun processCcdOutputs --id",
        (*per_frame("processCcdOutputs", "{p}/corr/CORR-" + _V), *per_frame("processCcdOutputs", "{p}/output/SRC-" + _V)),
    ),
    # rerun chaining (part 3), from which the runs of the other manuals start here
    Line("makeDiscreteSkyMap.py DATA --rerun processCcdOutputs:test --id"),
    Line("makeDiscreteSkyMap.py DATA --rerun processCcdOutputs:dith_16h_test --id"),
    Line("makeSkyMap.py ~/HSC --calib ~/HSC/CALIB --rerun processCcdOutputs:rings --id", said=r"tract \d+ has corners"),
    # hscPipe 7, positions and flux scale
    Line(
        "makeDiscreteSkyMap.py ~/HSC --calib ~/HSC/CALIB --rerun test --id field=test_field",
        said=r"(?m)^makeDiscreteSkyMap INFO: tract 0 has corners (\([\d.]+, -?[\d.]+\)(, )?){4} \(RA, Dec deg\) and \d+ x",
    ),
    Line(
        "jointcal.py ~/HSC/ --calib ~/HSC/CALIB --rerun test --id visit=20878..20890:2 tract=0 ccd=0..103",
        (
            *per_frame("test", "jointcal-results/0000/jointcal_photoCalib-" + _V),
            *per_frame("test", "jointcal-results/0000/jointcal_wcs-" + _V),
        ),
    ),
    Line("mosaic.py ~/HSC/ --calib ~/HSC/CALIB --rerun test --id visit=20878..20890:2 tract=0 ccd=0..103"),
    Line(
        "mosaic.py ~/HSC/ --calib ~/HSC/CALIB --rerun test --id visit=20878..20890:2 tract=0 ccd=0..103 "
        "--diagnostics --diagDir ~/HSC/rerun/mosaic_diag",
        tuple(diagnostics("rerun/mosaic_diag")),
    ),
    Line(
        "calibrateExposure.py ~/HSC --calib ~HSC/CALIB --rerun test --id field=NGC604 tract=0 ccd=0..103 -j 8",
        tuple(per_frame("test", "{p}/corr/0000/CALEXP-" + _V)),
    ),
    Line(
        "calibrateCatalog.py ~/HSC --calib ~HSC/CALIB --rerun test --id field=NGC604 tract=0 ccd=0..103 "
        "--config doApplyCalib=False -j 8",
        tuple(per_frame("test", "{p}/output/0000/CALSRC-" + _V)),
    ),
    # hscPipe 3 and 4
    Line(
        "mosaic.py $home/hsc --calib=$home/hsc/CALIB --rerun=dith_16h_test --id visit=902798..902808:2 ccd=0..103 tract=0",
        (
            *per_frame("dith_16h_test", "{p}/corr/0000/fcr-" + _V),
            *per_frame("dith_16h_test", "{p}/corr/0000/wcs-" + _V),
        ),
    ),
    Line("mosaic.py $home/hsc --calib=$home/hsc/CALIB --rerun=dith_16h_test --id visit=903160..903168:2 ccd=0..103 tract=0"),
    Line(
        "calibrateExposure.py $home/hsc --rerun=dith_16h_test --id visit=902798..902808:2 ccd=0..103 tract=0 -j 8",
        tuple(per_frame("dith_16h_test", "{p}/corr/0000/CALEXP-" + _V)),
    ),
    Line(
        "calibrateCatalog.py $home/hsc --rerun=dith_16h_test --id visit=902798..902808:2 ccd=0..103 tract=0 "
        "--config doApplyCalib=False -j 8",
        tuple(per_frame("dith_16h_test", "{p}/output/0000/CALSRC-" + _V)),
    ),
    Line(
        "mosaic.py $home/hsc --calib=$home/hsc/CALIB --rerun=dith_16h_test --id visit=902798..902808:2 ccd=0..103 tract=0 "
        "--config outputDiag=True outputDir=~/hsc/rerun/dith_16h_test/output_mosaic3 --clobber-config",
        tuple(diagnostics("rerun/dith_16h_test/output_mosaic3")),
    ),
    Line(
        "mosaic.py $home/HSC --calib=$home/hsc/CALIB --rerun=dith_16h_test --id visit=902798..902808:2 ccd=0..103 tract=0 "
        "--diagnostics --diagDir=~/hsc/rerun/dith_16h_test/output_mosaic --clobber-config",
        tuple(diagnostics("rerun/dith_16h_test/output_mosaic")),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Told:
    """How a line ended."""

    status: int
    out: str
    err: str


def as_a_shell(text: str) -> tuple[str, list[str]]:
    """Name and words of a line as a shell hands them over; data of the manuals replaced by ours."""
    name, *words = shlex.split(text)
    shown = [os.path.expandvars(os.path.expanduser(word) if word.startswith("~/") else word) for word in words]
    return name, [STANDS_FOR.get(word, word) for word in shown]


def told(name: str, words: list[str]) -> Told:
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = old.run(name, words)
    return Told(status, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with the repository HSC (also called hsc and DATA), filled with raw frames and masters."""
    home, before, environment = tmp_path_factory.mktemp("seeds"), Path.cwd(), dict(os.environ)
    simulate(home / "sky", SETUP)
    (home / "HSC").mkdir()
    for name in ("hsc", "DATA"):
        (home / name).symlink_to("HSC")
    server = Server(home / "HSC", {"shared_buffers": "64MB", "fsync": "off"})
    for name in ("HSCDB_DSN", "PIPE_INPUT_ROOT"):
        os.environ.pop(name, None)
    os.environ |= {"HOME": str(home), "home": str(home)}
    os.chdir(home)
    (home / "HSC" / "_mapper").write_text("lsst.obs.hsc.HscMapper\n")
    try:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            assert main(["init", "HSC", "--camera", "toy"]) == 0
            assert old.run("hscIngestImages.py", ["HSC", "sky/raw", "sky/calib", "--mode=link", "--create"]) == 0
            for name, file in (("gaia_dr3", "gaia"), ("ps1_dr1", "ps1")):
                assert main(["ingest-refcat", "HSC", name, f"sky/refcat_{file}.fits", "--preset", file]) == 0
            for kind in ("Bias", "Dark", "Flat"):
                words = f"HSC --calib HSC/CALIB --rerun all_{kind} --id --batch-type=smp --cores=1"
                assert old.run(f"construct{kind}.py", words.split()) == 0
        yield home
    finally:
        server.remove()
        os.chdir(before)
        os.environ.clear()
        os.environ.update(environment)


@pytest.fixture(scope="module")
def results(folder: Path) -> dict[str, Told]:
    """How each line ended, run one after another."""
    return {line.text: told(*as_a_shell(line.text)) for line in LINES}


def missing(line: Line, root: Path) -> list[str]:
    """Files that a line should have left and has not."""
    return [place for place in line.files if not any(root.glob(place))]


@pytest.mark.parametrize("line", LINES, ids=[f"{i}-{line.text.split()[0]}" for i, line in enumerate(LINES)])
def test_a_printed_line_runs_and_leaves_the_files_it_names(results: dict[str, Told], folder: Path, line: Line) -> None:
    found = results[line.text]
    assert found.status == 0, found.err
    assert missing(line, folder / "HSC") == []
    assert re.search(line.said, found.out + found.err), found.err


def test_all_lines_with_their_outcome(results: dict[str, Told], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    passed = {
        line.text: results[line.text].status == 0 and not missing(line, folder / "HSC") for line in LINES
    }  # fmt: skip
    with capsys.disabled():
        print()
        for text, is_passed in passed.items():
            print(f"  {'pass' if is_passed else 'FAIL'}  {text}")
    assert all(passed.values())
