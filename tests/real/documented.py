"""The commands of hscdb/ingest/README.md, run as they stand."""

import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("HSCDB_TESTDATA", ROOT.parent / "shared" / "data"))
_COMMAND = """#!/bin/sh
exec "{python}" -c "import sys; sys.argv[0] = 'hscdb'; from hscdb.cli import main; sys.exit(main())" "$@"
"""


def commands(word: str) -> list[str]:
    """The blocks ```sh WORD, one after another."""
    text = (ROOT / "hscdb" / "ingest" / "README.md").read_text()
    return [body for name, body in re.findall(r"^```sh (\w+)\n(.*?)^```", text, re.M | re.S) if name == word]


def run(block: str, folder: Path, dsn: str, **more: str) -> str:
    """Run a block in a folder, with a database of its own; what it wrote. Any status but 0 fails."""
    program = folder / "bin" / "hscdb"
    program.parent.mkdir(exist_ok=True)
    program.write_text(_COMMAND.format(python=sys.executable))
    program.chmod(0o755)
    environment = os.environ | more | {
        "PATH": f"{program.parent}:{os.environ['PATH']}", "DATA": str(DATA), "HSCDB_DSN": dsn, "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    told = subprocess.run(
        ["bash", "-e", "-u", "-c", block], cwd=folder, env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout[-4000:]
    return told.stdout


def rows(dsn: str, statement: str, *given: object) -> list[tuple]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(statement, given).fetchall()
