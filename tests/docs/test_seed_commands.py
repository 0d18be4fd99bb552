"""hscPipe's manuals come true: their command lines run as they are printed and leave the files they name, their code
runs in Python 3 with one line of imports changed, and the tutorial that mirrors them does what it says.

Only the names of data differ: fields and visits of the manuals stand for those of the small sky that is simulated here.
All lines are run once, as the tutorial has them.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import patch_truth
import pytest
import tutorial
from matplotlib.image import imread
from seed_lines import LINES, STANDS_FOR, VISITS, Line
from tutorial import Told

from hscdb import display
from hscdb.butler import Butler
from hscdb.cli import main, old
from hscdb.cli.heritage import HEIRS
from hscdb.db.server import Server
from hscdb.errors import HscdbError

SEEDS = Path(os.environ.get("HSCDB_SEEDS", Path(__file__).resolve().parents[3] / "shared" / "seeds"))
SHELL = [(block, line) for block in tutorial.blocks("sh", "sh-fails") for line in block.text.splitlines()]
CODE = Path(__file__).with_name("seed_code.txt").read_text()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home in which the tutorial makes its repository HSC, which is also called hsc and DATA."""
    home, before, environment = tmp_path_factory.mktemp("seeds"), Path.cwd(), dict(os.environ)
    server = Server(home / "HSC", {"shared_buffers": "64MB", "fsync": "off"})
    for name in ("HSCDB_DSN", "PIPE_INPUT_ROOT"):
        os.environ.pop(name, None)
    os.environ |= {"HOME": str(home), "home": str(home), "HSCDB_DISPLAY": str(home / "mtv.png")}
    os.chdir(home)
    try:
        yield home
    finally:
        server.remove()
        os.chdir(before)
        os.environ.clear()
        os.environ.update(environment)
        display.use("nowhere.png")


@pytest.fixture(scope="module")
def results(folder: Path) -> dict[tuple[str, ...], tuple[Told, list[str]]]:
    """How each line of the tutorial ended, run one after another, by its words; with the files that it has not left."""
    found: dict[tuple[str, ...], tuple[Told, list[str]]] = {}
    wanted = {words(line.text): line for line in LINES}
    for _, text in SHELL:
        for out in ("mosaic_diag", "dith_16h_test/output_mosaic"):
            if out in text:
                shutil.rmtree(folder / "HSC" / "rerun" / out, ignore_errors=True)  # of an earlier line
        ended = tutorial.run(text)
        key = words(text)
        found[key] = ended, missing(wanted[key], folder / "HSC") if key in wanted else []
    return found


def words(text: str) -> tuple[str, ...]:
    """A line as words, data of the manuals replaced by ours, paths in full."""
    name, rest = tutorial.as_a_shell(text)
    return name, *(STANDS_FOR.get(word, word).rstrip("/") for word in rest)


def missing(line: Line, root: Path) -> list[str]:
    """Files that a line should have left and has not."""
    return [place for place in line.files if not any(root.glob(place))]


Results = dict[tuple[str, ...], tuple[Told, list[str]]]


def faults(line: Line, results: Results) -> str:
    """What is wrong with a line of a manual; "" if nothing is."""
    found, absent = results[words(line.text)]
    if found.status or absent:
        return f"status {found.status}, not there: {absent}\n{found.err}"
    return "" if re.search(line.said, found.out + found.err) else f"did not say {line.said}: {found.out}{found.err}"


def told(name: str, words: list[str]) -> Told:
    """How an old command ended."""
    return tutorial.run(" ".join([name, *words]))


@pytest.mark.parametrize(("block", "text"), SHELL, ids=[f"{i}-{text.split()[0]}" for i, (_, text) in enumerate(SHELL)])
def test_a_line_of_the_tutorial_ends_as_it_says(
    results: Results, folder: Path, block: tutorial.Block, text: str
) -> None:
    ended, _ = results[words(text)]
    assert ended.status == (2 if block.language == "sh-fails" else 0), ended.err
    for name in re.findall(r"--png (\S+)", text):
        assert imread(folder / name).shape[0] > 300


@pytest.mark.parametrize("line", LINES, ids=[f"{i}-{line.text.split()[0]}" for i, line in enumerate(LINES)])
def test_a_printed_line_runs_and_leaves_the_files_it_names(results: Results, folder: Path, line: Line) -> None:
    assert faults(line, results) == ""


def test_no_line_that_the_manuals_print_is_left_out() -> None:
    if not SEEDS.is_dir():
        pytest.skip(f"the manuals are not here ({SEEDS}; HSCDB_SEEDS names another folder)")
    text = "\n".join(path.read_text() for path in sorted(SEEDS.glob("*.txt")))
    printed = set(re.findall(r"^(\w+\.py (?:~|\$home|DATA).*?) *$", text, re.M))
    assert len(printed) == 15
    assert printed <= {line.text for line in LINES}


def test_no_line_of_code_that_the_manual_prints_is_left_out() -> None:
    if not SEEDS.is_dir():
        pytest.skip(f"the manuals are not here ({SEEDS}; HSCDB_SEEDS names another folder)")
    (page,) = SEEDS.glob("002*.txt")
    code = r"^\s*(?:import |for \w.* in .*:$|with .*:$|print |\w[\w, ]*? *&?= *[\w{\[\"2]|ds9\.\w+\().*"
    printed = re.findall(code, page.read_text(), re.M)
    ours = {"/data/Subaru/HSC/rerun/myrerun": "ROOT", "1234": "VISIT", "56": "CCD"}  # data, set by the test
    known = {"".join(line.split()).replace("'", '"') for line in CODE.splitlines()}
    assert len({line.strip() for line in printed}) > 30
    for line in printed:
        said = re.sub(r"^(\s*)print (.*)", r"\1print(\2)", line)  # Python 3
        for theirs, mine in ours.items():
            said = said.replace(f'"{theirs}"', mine).replace(theirs, mine)
        assert "".join(said.split()).replace("'", '"') in known, line


def parts() -> list[tuple[str, str]]:
    """The code of the manual by heading, with our imports."""
    code = CODE
    for theirs, ours in OURS.items():
        assert theirs in code
        code = code.replace(theirs, ours)
    cut = re.split(r"^# (.*)\n", code, flags=re.M)
    return [("imports", cut[0]), *zip(cut[1::2], cut[2::2], strict=True)]


def test_all_lines_and_blocks_with_their_outcome(
    results: Results, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    passed = {line.text: not faults(line, results) for line in LINES}
    found = {"ROOT": str(folder / "HSC" / "rerun" / "test"), "VISIT": VISITS[1], "CCD": 1}
    for heading, code in parts():
        try:
            with redirect_stdout(StringIO()):
                exec(compile(code, f"seed_code.txt: {heading}", "exec"), found)
            passed[f"code: {heading}"] = True
        except Exception as error:
            passed[f"code: {heading} ({type(error).__name__}: {error})"] = False
    found["butler"].close()
    page: dict[str, object] = {}
    for block, out in tutorial.run_python("4-pipeline-tools.md", page):
        passed[f"tutorial: {block.heading}: {block.text.splitlines()[0]}"] = True
        assert out or "print" not in block.text
    page["butler"].close()
    assert imread(folder / "frame1.png").shape[0] > 300
    with capsys.disabled():
        print()
        for text, is_passed in passed.items():
            print(f"  {'pass' if is_passed else 'FAIL'}  {text}")
    assert all(passed.values())
    assert len(passed) > 40


def test_what_the_lines_leave_is_accounted_for_or_the_users_own(
    results: Results, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stray = folder / "HSC" / "rerun" / "test" / "jointcal-results" / "0000" / "stray.fits"
    stray.write_bytes(b"")
    assert main(["gc", "HSC", "--dry-run", "--age", "-1"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        stray.relative_to(folder / "HSC").as_posix(), "1 files, 0.0 MB would be removed",
    ]  # fmt: skip
    assert main(["help", "mosaic.py"]) == 0
    assert "takes its old options" in capsys.readouterr().out


OURS = {
    "import lsst.daf.persistence as dafPersist": "import hscdb.butler as dafPersist",
    "import lsst.afw.geom.ellipses as geomEllip": "import hscdb.butler as geomEllip",
    "import lsst.meas.mosaic as measMosaic": "import hscdb.butler as measMosaic",
    "import hsc.pipe.base.butler as hscButler": "import hscdb.butler as hscButler",
    "import lsst.afw.display.ds9 as ds9": "import hscdb.display as ds9",
}


def test_the_code_of_the_manual_runs_with_its_imports_changed(results: Results, folder: Path) -> None:
    code = "\n".join(text for _, text in parts())
    found = {"ROOT": str(folder / "HSC" / "rerun" / "test"), "VISIT": VISITS[0], "CCD": 2}
    with redirect_stdout(StringIO()) as out:
        exec(compile(code, "seed_code.txt", "exec"), found)
    assert "base_PsfFlux_instFlux" in out.getvalue()
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
        assert imread(folder / "mtv.png").shape[0] > 300


def test_a_true_star_is_on_the_picture_of_a_patch_where_the_tract_has_it(results: Results, folder: Path) -> None:
    with Butler(folder / "HSC", rerun="test") as butler:
        off, n_frame = patch_truth.errors(butler, folder / "sky" / "truth_star.fits")
        for word, said in patch_truth.REFUSED:
            with pytest.raises(HscdbError, match=said):
                patch_truth.chosen(butler, word)
    assert n_frame == len(VISITS) * 4
    assert len(off) > 10
    distance, magnitude, marked = np.median(np.abs(off), axis=0)
    assert distance < 0.1
    assert np.percentile(off[:, 0], 80) < 0.5
    assert magnitude < 0.1
    assert marked < 0.1


def test_the_code_of_the_manual_runs_as_it_is_under_the_shim(results: Results, folder: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    head = f"ROOT, VISIT, CCD = {str(folder / 'HSC' / 'rerun' / 'test')!r}, {VISITS[1]}, 0\n"
    script.write_text(head + CODE + "\nprint(len(printed), zeropoint.shape)\n")
    command = [sys.executable, "-m", "hscdb.butler.shim", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"\n(\d+) \(\1,\)\n$", done.stdout)


def test_pyproject_installs_every_old_command_and_help_knows_it() -> None:
    scripts = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]["scripts"]
    assert {name for name, place in scripts.items() if place == "hscdb.cli.old:main"} == set(old.WAYS)
    assert set(old.WAYS) <= set(HEIRS)


def test_a_selection_without_data_makes_no_run_and_spoils_no_sky_map(results: Results, folder: Path) -> None:
    def n(table: str) -> str:
        return told("hscdb", ["query", "HSC", f"'SELECT count(*) FROM {table}'"]).out.splitlines()[2]

    before = n("run"), n("frame_tract")
    for word in ("visit=1", "field=NOWHERE"):
        for command in ("processCcd.py", "makeDiscreteSkyMap.py"):
            found = told(command, ["HSC", "--rerun", "test:fresh" if "Ccd" in command else "test", "--id", word])
            assert found.status == 1
            assert f"{command}: not running, because there is no data" in found.err
    for command in ("makeDiscreteSkyMap.py", "makeSkyMap.py"):
        found = told(command, ["HSC", "--rerun", "test", "--id", "field=BIAS"])
        assert (found.status, found.err.partition(": ")[0]) == (2, command)
        assert "which has 12 others. Its sky map stays as it is" in found.err
    assert (n("run"), n("frame_tract")) == before


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


def test_output_is_a_run_and_an_argument_file_holds_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = tmp_path / "words"
    words.write_text("--id visit=5 # the night's best\n--output D/rerun/night/one\n")
    plan = old.translate("processCcd.py", ["D", f"@{words}"])
    assert plan.commands[0][3:] == ["--id", "visit=5", "--rerun", "night/one"]
    assert old.translate("processCcd.py", ["D", "--output", "/elsewhere/two"]).rerun == "two"
    monkeypatch.setenv("PIPE_OUTPUT_ROOT", "D/rerun")
    assert old.translate("processCcd.py", ["D", "--output", "night/two"]).rerun == "night/two"
    assert told("processCcd.py", ["D", "--rerun", "a", "--output", "D/rerun/a"]).status == 2


def test_a_mapper_of_hscpipe_makes_the_repository(tmp_path: Path) -> None:
    (tmp_path / "_mapper").write_text("lsst.obs.subaru.HscMapper")
    plan = old.translate("ingestImages.py", [str(tmp_path), "a.fits", "--mode=link", "b.fits"])
    assert plan.commands == [
        ["init", str(tmp_path), "--camera", "hsc"], ["ingest", str(tmp_path), "a.fits", "b.fits", "--mode", "link"],
    ]  # fmt: skip
