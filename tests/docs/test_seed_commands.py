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
_DITH = "--rerun=dith_16h_test --id visit=902798..902808:2 ccd=0..103 tract=0"
LINES = (
    # Getting started tutorial, part 2
    Line("processCcd.py DATA --rerun processCcdOutputs --id --show data", said=r"id dataRef\.dataId = \{.*'visit'"),
    Line("processCcd.py DATA --rerun processCcdOutputs --id filter=HSC-I --show data", said="'filter': 'HSC-I'"),
    Line(
        "processCcd.py DATA --rerun processCcdOutputs --id",
        (
            *per_frame("processCcdOutputs", "{p}/corr/CORR-" + _V),
            *per_frame("processCcdOutputs", "{p}/output/SRC-" + _V),
        ),
    ),
    # rerun chaining (part 3), from which the runs of the other manuals start here
    Line("makeDiscreteSkyMap.py DATA --rerun processCcdOutputs:test --id"),
    Line("makeDiscreteSkyMap.py DATA --rerun processCcdOutputs:dith_16h_test --id"),
    Line("makeSkyMap.py ~/HSC --calib ~/HSC/CALIB --rerun processCcdOutputs:rings --id", said=r"tract \d+ has corners"),
    # hscPipe 7, positions and flux scale
    Line(
        "makeDiscreteSkyMap.py ~/HSC --calib ~/HSC/CALIB --rerun test --id field=test_field",
        said=r"(?m)^makeDiscreteSkyMap INFO: tract 0 has corners (\([\d., -]+\),? ){4}\(RA, Dec deg\) and \d+ x \d+ pa",
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
        f"mosaic.py $home/hsc --calib=$home/hsc/CALIB {_DITH}",
        (
            *per_frame("dith_16h_test", "{p}/corr/0000/fcr-" + _V),
            *per_frame("dith_16h_test", "{p}/corr/0000/wcs-" + _V),
        ),
    ),
    Line(
        "mosaic.py $home/hsc --calib=$home/hsc/CALIB --rerun=dith_16h_test "
        "--id visit=903160..903168:2 ccd=0..103 tract=0"
    ),
    Line(
        f"calibrateExposure.py $home/hsc {_DITH} -j 8",
        tuple(per_frame("dith_16h_test", "{p}/corr/0000/CALEXP-" + _V)),
    ),
    Line(
        f"calibrateCatalog.py $home/hsc {_DITH} --config doApplyCalib=False -j 8",
        tuple(per_frame("dith_16h_test", "{p}/output/0000/CALSRC-" + _V)),
    ),
    Line(
        f"mosaic.py $home/hsc --calib=$home/hsc/CALIB {_DITH} "
        "--config outputDiag=True outputDir=~/hsc/rerun/dith_16h_test/output_mosaic3 --clobber-config",
        tuple(diagnostics("rerun/dith_16h_test/output_mosaic3")),
    ),
    Line(
        f"mosaic.py $home/HSC --calib=$home/hsc/CALIB {_DITH} "
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


def test_all_lines_with_their_outcome(
    results: dict[str, Told], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    passed = {line.text: results[line.text].status == 0 and not missing(line, folder / "HSC") for line in LINES}
    with capsys.disabled():
        print()
        for text, is_passed in passed.items():
            print(f"  {'pass' if is_passed else 'FAIL'}  {text}")
    assert all(passed.values())


def test_what_the_lines_leave_is_accounted_for_or_the_users_own(
    results: dict[str, Told], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stray = folder / "HSC" / "rerun" / "test" / "jointcal-results" / "0000" / "stray.fits"
    stray.write_bytes(b"")
    assert main(["gc", "HSC", "--dry-run", "--age", "-1"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        stray.relative_to(folder / "HSC").as_posix(), "1 files, 0.0 MB would be removed",
    ]  # fmt: skip
    assert main(["help", "mosaic.py"]) == 0
    assert "takes its old options" in capsys.readouterr().out


CODE = Path(__file__).with_name("seed_code.txt").read_text()
OURS = {
    "import lsst.daf.persistence as dafPersist": "import hscdb.butler as dafPersist",
    "import lsst.afw.geom.ellipses as geomEllip": "import hscdb.butler as geomEllip",
    "import lsst.meas.mosaic as measMosaic": "import hscdb.butler as measMosaic",
    "import hsc.pipe.base.butler as hscButler": "import hscdb.butler as hscButler",
}


def test_the_code_of_the_manual_runs_with_its_imports_changed(results: dict[str, Told], folder: Path) -> None:
    code = CODE
    for theirs, ours in OURS.items():
        assert theirs in code
        code = code.replace(theirs, ours)
    found = {"ROOT": str(folder / "HSC" / "rerun" / "test"), "VISIT": VISITS[0], "CCD": 2}
    exec(compile(code, "seed_code.txt", "exec"), found)
    with found["butler"] as butler:
        assert len(found["printed"]) == found["n"] == butler.get("src_len", found["dataId"]) > 100
        assert found["bias_filename"][0].endswith("-002.fits")
        assert found["nimg"].shape == (512, 512)
        assert (found["crImage"].getArray() > 0).sum() == (found["mask"].getArray() & 8 > 0).sum() > 0
        # 30 s through HSC-I: magnitudes from the zero points of the mosaic agree with those of the first calibration
        mags = np.array(found["magnitudes"])
        first = found["zeropoint_ccd"] - 2.5 * np.log10(np.maximum(found["flux"], 1e-9))
        bright = found["flux"] > 3e4
        assert bright.sum() > 20
        assert np.abs(mags[bright, 2] - first[bright]).max() < 0.2
        true = butler.get("calexp_wcs", found["dataId"])
        x, y = true.ours.sky_to_pixel(mags[bright, 0], mags[bright, 1])
        assert np.hypot(x - found["x"][bright], y - found["y"][bright]).max() < 1e-3
        axes = np.array(found["moments"])[bright]
        assert np.isfinite(axes).all(axis=1).mean() > 0.8
        assert np.allclose(axes[:, 3] ** 2 + axes[:, 4] ** 2, axes[:, 0] + axes[:, 2], rtol=1e-6, equal_nan=True)
        tract = butler.get("deepCoadd_skyMap")[0]
        assert all(tract.contains(source.getCoord()) for source in found["sources"][:5])
        raw, amp = butler.get("raw", found["dataId"]), butler.get("camera")[2][0]
        assert raw.getWidth() > 512 == butler.get("camera")[2].getBBox().getWidth()
        assert 900 < np.median(raw.image.array) < 50 * amp.getSaturation()
        calibrated = butler.get("calibrated_src", found["dataId"])
        assert "mosaic_corr" in calibrated
        assert butler.get("jointcal_photoCalib", found["dataId"]).getInstFluxAtZeroMagnitude() == pytest.approx(
            found["fcr_md"].get("FLUXMAG0"), rel=1e-12
        )
        assert "base_PsfFlux_instFlux" in found["listing"]


def test_the_code_of_the_manual_runs_as_it_is_under_the_shim(
    results: dict[str, Told], folder: Path, tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    head = f"ROOT, VISIT, CCD = {str(folder / 'HSC' / 'rerun' / 'test')!r}, {VISITS[1]}, 0\n"
    script.write_text(head + CODE + "\nprint(len(printed), zeropoint.shape)\n")
    command = [sys.executable, "-m", "hscdb.butler.shim", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"(\d+) \(\1,\)\n", done.stdout)


def test_pyproject_installs_every_old_command_and_help_knows_it() -> None:
    scripts = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]["scripts"]
    assert {name for name, place in scripts.items() if place == "hscdb.cli.old:main"} == set(old.WAYS)
    assert set(old.WAYS) <= set(HEIRS)


def test_the_name_a_script_is_called_by_tells_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/coaddDriver.py", "DATA", "--rerun", "x"])
    assert old.main() == 2
    assert "coaddDriver.py: not in this version" in capsys.readouterr().err


def test_options_without_a_sense_here_are_told_in_one_line_each() -> None:
    plan = old.translate(
        "singleFrameDriver.py",
        "D --rerun a:b --id visit=1..5:2 --batch-type=smp --cores=4 --nodes 2 --doraise --doraise".split(),
    )
    assert plan.commands == [["run", "D", "isr..calibrate", "--id", "visit=1..5:2", "--rerun", "a:b", "-j", "4"]]
    assert [note.partition(":")[0] for note in plan.notes] == ["--doraise", "--batch-type", "--nodes"]


def test_settings_go_by_their_new_names_and_unknown_ones_are_refused() -> None:
    def config(name: str, *words: str) -> tuple[list[str], list[str]]:
        plan = old.translate(name, ["D", "--rerun", "x", "--id", "--config", *words])
        command = plan.commands[0]
        return command[command.index("--config") + 1 :] if "--config" in command else [], plan.notes

    assert config("mosaic.py", "fittingOrder=7", "mosaic.flux_order=5")[0] == [
        "mosaic.astrometry_order=7", "mosaic.flux_order=5",
    ]  # fmt: skip
    assert config("processCcd.py", "isr.doBias=False", "charImage.repair.doCosmicRay=False")[0] == [
        "isr.do_bias=False", "detect.do_cosmic_ray=False",
    ]  # fmt: skip
    assert config("mosaic.py", "numCoresForReadSource=4") == (
        [], ["--config numCoresForReadSource: sources are read from the database"],
    )  # fmt: skip
    for name, word in (("processCcd", "isr.doMagic=True"), ("mosaic", "fittingOrder"), ("mosaic", "isr.doBias=1")):
        assert told(f"{name}.py", ["D", "--rerun", "x", "--config", word]).status == 2


def test_output_is_a_run_and_an_argument_file_holds_words(tmp_path: Path) -> None:
    words = tmp_path / "words"
    words.write_text("--id visit=5 # the night's best\n--output D/rerun/night/one\n")
    plan = old.translate("processCcd.py", ["D", f"@{words}"])
    assert plan.commands[0][3:] == ["--id", "visit=5", "--rerun", "night/one"]
    assert old.translate("processCcd.py", ["D", "--output", "/elsewhere/two"]).rerun == "two"
    assert told("processCcd.py", ["D", "--rerun", "a", "--output", "D/rerun/a"]).status == 2


def test_a_mapper_of_hscpipe_makes_the_repository(tmp_path: Path) -> None:
    (tmp_path / "_mapper").write_text("lsst.obs.subaru.HscMapper")
    plan = old.translate("ingestImages.py", [str(tmp_path), "a.fits", "--mode=link", "b.fits"])
    assert plan.commands == [
        ["init", str(tmp_path), "--camera", "hsc"], ["ingest", str(tmp_path), "a.fits", "b.fits", "--mode", "link"],
    ]  # fmt: skip
