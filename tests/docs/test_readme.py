"""README.md is true: its commands run, its statements give rows, and what it names exists."""

import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hscdb import pipeline
from hscdb.camera.load import load
from hscdb.cli import commands, main
from hscdb.cli.heritage import HEIRS
from hscdb.db.server import Server
from hscdb.errors import HscdbError
from hscdb.ingest.translate import translate
from hscdb.run.config import knobs

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "README.md").read_text()
READMES = sorted(path for path in ROOT.rglob("README.md") if not {".venv", "demo"} & set(path.relative_to(ROOT).parts))


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language; "" for those that are shown and not run."""
    return [body for word, body in re.findall(r"^```(\w*)\n(.*?)^```", TEXT, re.M | re.S) if word == language]


def table(heading: str) -> list[list[str]]:
    """Cells of the first table below a heading, without its head."""
    section = TEXT.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    last = next((i for i, line in enumerate(lines) if i > 1 and set(line) <= set("|-")), len(lines) + 1) - 1
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:last]]


def coded(cell: str) -> list[str]:
    """What stands in backticks."""
    return re.findall(r"`([^`]+)`", cell)


RUN = [line for block in blocks("sh") for line in block.splitlines() if line.strip()]
SHOWN = [line for block in blocks("") for line in block.splitlines() if line.startswith("hscdb ")]
INLINE = [each for each in coded(re.sub(r"^```.*?^```", "", TEXT, flags=re.M | re.S)) if each.startswith("hscdb ")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where all lines of the sh blocks have been run, one after another, each with status 0."""
    where, before = tmp_path_factory.mktemp("readme"), Path.cwd()
    servers = [Server(where / name, {"shared_buffers": "64MB", "fsync": "off"}) for name in ("HSC", "CSV")]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    os.chdir(where)
    try:
        for line in RUN:
            words = [port if word == "5543" else word for word in shlex.split(line, comments=True)]
            assert words[0] == "hscdb", line
            if words[1] == "psql":  # it takes the place of the process
                command = [sys.executable, "-W", "ignore", "-m", "hscdb", *words[1:]]
                assert subprocess.run(command, check=False, capture_output=True).returncode == 0, line
            else:
                assert main(words[1:]) == 0, line
        yield where
    finally:
        for server in servers:
            server.remove()
        os.chdir(before)


def test_the_quick_start_leads_to_a_joint_solution_near_the_truth(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", "HSC"]) == 0
    stages = {line.split()[1] for line in capsys.readouterr().out.splitlines() if line.startswith("first")}
    assert stages == set(pipeline.ORDER) - {"ingest", "master"}
    assert main(["truth", "HSC", "sky", "--rerun", "first"]) == 0
    rms = [line for line in capsys.readouterr().out.splitlines() if line.startswith("position, rms error")]
    after_mas = float(rms[0].split()[-3])
    assert 0.0 < after_mas < 10.0


def test_the_files_are_where_the_table_says(folder: Path) -> None:
    for stage, _, _, _, files, _ in table("The pipeline"):
        for prefix in [each for each in coded(files) if each.endswith("-") and coded(stage)[0] != "isr"]:
            assert list((folder / "HSC" / "rerun").rglob(f"{prefix}*.fits")), prefix
    assert list((folder / "HSC" / "rerun" / "first" / "qa" / "0000" / "HSC-R").glob("*.png"))


@pytest.mark.parametrize("statement", blocks("sql"), ids=lambda each: " ".join(each.split())[:40])
def test_a_statement_gives_rows(folder: Path, statement: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["query", "HSC", statement]) == 0
    n_row = re.search(r"\((\d+) rows?\)", capsys.readouterr().out)
    assert n_row is not None
    assert int(n_row[1]) > 0


def test_an_example_of_a_function_finds_something(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Visits and CCDs are those of `hscdb demo`, another camera at the same place; nobody's transaction is too long."""
    page = (ROOT / "schema" / "FUNCTIONS.md").read_text()
    examples = re.findall(r"^```sql\n(.*?)\n```", page, re.M | re.S)
    left_out = [each for each in examples if "902800" in each or "end_overtime" in each]
    assert len(left_out) == 3
    for statement in sorted(set(examples) - set(left_out)):
        assert main(["query", "HSC", f"SELECT count(*) AS n FROM ({statement}) AS example"]) == 0, statement
        assert capsys.readouterr().out.split()[2] != "0", statement


def test_the_catalog_that_was_taken_out_and_entered_is_solved(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["query", "CSV", "SELECT status, count(*) FROM wcs_solution WHERE stage = 'mosaic' GROUP BY 1"]) == 0
    assert re.search(r"solved +\d+", capsys.readouterr().out)


@pytest.mark.parametrize("line", [*SHOWN, *INLINE])
def test_a_command_that_is_shown_is_understood(line: str) -> None:
    words = shlex.split(line.replace("...", "x"), comments=True)[1:]
    words = ["x" if word in ("COMMAND", "NAME.py") else word for word in words]
    if words in (["x", "--help"], ["--help"]):
        return
    assert commands.parse(words) is not None


@pytest.mark.parametrize("text", blocks("toml"))
def test_the_camera_that_is_shown_reads_a_header(text: str, tmp_path: Path) -> None:
    path = tmp_path / "camera.toml"
    path.write_text(text)
    header = {"FILE": "img0012.fits", "OBJNAME": "M 31", "INSFILTE": "R", "EXPOSURE": 30.0, "OBJCTRA": "00 42 44.3",
              "OBJCTDEC": "+41 16 09", "DATE-OBS": "2024-10-01T20:00:00", "FRAME": "Object"}  # fmt: skip
    facts = translate(load(str(path)), header)
    assert (facts.visit, facts.data_type, facts.filter) == (12, "science", "R")
    assert facts.ra == pytest.approx(10.684583)


def test_the_pipeline_table_is_that_of_the_program() -> None:
    rows = table("The pipeline")
    assert [coded(row[0])[0] for row in rows] == list(pipeline.ORDER)
    for row in rows:
        assert sorted(coded(row[3])) == sorted(pipeline.load(coded(row[0])[0]).writes), row[0]


def test_every_hscpipe_command_is_one_we_know() -> None:
    named = set(re.findall(r"\b([a-zA-Z]+\.py)\b", TEXT)) - {"NAME.py"}
    assert named <= set(HEIRS)
    of_the_documents = {"processCcd.py", "makeDiscreteSkyMap.py", "makeSkyMap.py", "mosaic.py", "jointcal.py",
                        "calibrateExposure.py", "calibrateCatalog.py", "coaddDriver.py"}  # fmt: skip
    assert of_the_documents <= set(re.findall(r"\b([a-zA-Z]+\.py)\b", TEXT.split("## For users of hscPipe")[1]))


@pytest.mark.parametrize("name", [name for name, (ours, _) in HEIRS.items() if ours])
def test_the_heir_of_an_hscpipe_command_is_understood(name: str) -> None:
    ours = HEIRS[name][0].replace(" ...", "").replace("KIND", "bias").replace("-j N", "-j 2")
    assert commands.parse(shlex.split(ours)[1:]) is not None


def test_every_setting_that_is_named_exists() -> None:
    configs = pipeline.configs()
    named = re.findall(rf"\b({'|'.join(configs)})\.(?!py\b)([a-z]\w+)\b", TEXT)
    assert len(named) > 5
    for stage, name in named:
        assert name in knobs(stage, configs[stage]), (stage, name)


def test_every_reason_that_is_named_can_come() -> None:
    source = "".join(path.read_text() for folder in ("hscdb", "sql") for path in (ROOT / folder).rglob("*.*")
                     if path.suffix in (".py", ".sql"))  # fmt: skip
    reasons = [code for row in table("When something fails") for code in coded(row[0])]
    assert len(reasons) > 15
    for code in reasons:
        assert f'"{code}"' in source or f"'{code}'" in source or f"no_<{code[3:]}>" in source, code


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(readme: Path) -> None:
    text = readme.read_text()
    anchors = {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in re.findall(r"^#+ (.*)$", text, re.M)}
    for target in re.findall(r"\]\(([^)]+)\)", text):
        path, _, anchor = target.partition("#")
        assert "://" in target or not path or (readme.parent / path).exists(), target
        assert not anchor or path or anchor in anchors, target


def test_an_unknown_word_is_refused_by_the_parser_these_tests_rely_on() -> None:
    with pytest.raises((HscdbError, SystemExit)):
        commands.parse(["run", "REPO", "isr..qa", "--rerum", "first"])
