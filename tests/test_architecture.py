"""The shape of the program: who may import whom, where SQL and printing live, how long files and functions are."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "hscdb"
GROUND = {"camera", "image", "sky", "errors"}
DOORS = {"db", "fits", "run"}
TOOLS = {"numpy", "scipy", "numba", "sep", "galsim", "astropy"}
STAGES = {"ingest", "master", "isr", "detect", "calibrate", "skymap", "match", "mosaic", "apply", "coadd", "multiband",
          "lightcurve", "moving", "qa"}  # fmt: skip
# What ties a tree together and stands above the stages.
TOP = {"cli", "pipeline", "butler", "display", "serve", "simulate"}
FILE_LINES_MAX = 300
FUNCTION_LINES_MAX = 60
KERNEL_LINES_MAX = 100  # a compiled kernel is one loop over pixels; taking it apart costs compile time
_SQL = re.compile(r"^\s*(SELECT\s.+\sFROM|INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|CREATE\s+(TABLE|VIEW|INDEX)|"
                  r"DROP\s+(TABLE|VIEW)|ALTER\s+TABLE|WITH\s+\w+\s+AS\s*\()", re.DOTALL)  # fmt: skip


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imports(tree: ast.AST) -> set[str]:
    """Full names of everything a module imports, `from a import b` as a.b."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def type_checking_imports(tree: ast.AST) -> set[str]:
    """What is imported for annotations only."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            found |= {name for inner in node.body for name in imports(inner)}
    return found


def strings(tree: ast.AST) -> list[str]:
    """Text that is not documentation."""
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation
    ]


def code_lines(function: ast.FunctionDef, source: str) -> int:
    """Lines of a function's body without its documentation, blank lines and comments."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    if not body:
        return 0
    lines = source.splitlines()[body[0].lineno - 1 : function.end_lineno]
    return sum(1 for line in lines if line.strip() and not line.strip().startswith("#"))


def import_faults(where: str, is_stage_shell: bool, found: set[str], typing_only: set[str]) -> list[str]:
    """Which imports break the rules for a module in the folder (or file) `where` of the package."""
    faults = []
    for name in sorted(found):
        root, _, rest = name.partition(".")
        if root in ("psycopg", "sqlalchemy") and where != "db" and name not in typing_only:
            faults.append(f"imports {root}")
        if name.startswith("astropy.io") and where != "fits":
            faults.append(f"imports {name}")
        if root == "argparse" and where != "cli":
            faults.append("imports argparse")
        if root != "hscdb":
            if where in GROUND | STAGES and not is_stage_shell and root in ("psycopg", "sqlalchemy", "rich", "pyarrow"):
                faults.append(f"imports {root}")
            continue
        target = rest.partition(".")[0] if rest else ""
        if name in typing_only or target in ("", "__version__", where):
            continue
        if where in GROUND:
            allowed = GROUND
        elif where in DOORS:
            allowed = GROUND | DOORS | {"pipeline"}
        elif where in STAGES:
            allowed = GROUND | (DOORS if is_stage_shell else set())
        elif where == "__init__":
            allowed = {"compiled"}  # before any kernel is loaded
        else:
            allowed = GROUND | DOORS | STAGES | TOP
        if target not in allowed:
            faults.append(f"{target} is out of reach")
    return faults


def faults_of(path: Path, source: str) -> list[str]:
    """Every rule that a module of the package breaks."""
    tree = ast.parse(source)
    where = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    is_shell = path.name.startswith("stage")
    faults = import_faults(where, is_shell, imports(tree), type_checking_imports(tree))
    if where != "db" and any(_SQL.search(text) for text in strings(tree)):
        faults.append("SQL in a string")
    for node in ast.walk(tree):
        if where != "cli" and isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print":
            faults.append(f"prints in line {node.lineno}")
        if isinstance(node, ast.ExceptHandler) and path.relative_to(PACKAGE).as_posix() != "run/worker.py":
            is_broad = node.type is None or getattr(node.type, "id", "") in ("Exception", "BaseException")
            if is_broad:
                faults.append(f"broad except in line {node.lineno}")
        if isinstance(node, ast.FunctionDef):
            n_line = code_lines(node, source)
            is_kernel = any("njit" in ast.unparse(decorator) for decorator in node.decorator_list)
            if n_line > (KERNEL_LINES_MAX if is_kernel else FUNCTION_LINES_MAX):
                faults.append(f"{node.name} has {n_line} lines")
    n_line = source.count("\n")
    if n_line > FILE_LINES_MAX:
        faults.append(f"has {n_line} lines")
    if {"utils", "helpers", "common", "misc"} & {part.removesuffix(".py") for part in path.relative_to(PACKAGE).parts}:
        faults.append("has a name that says nothing")
    return faults


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_module_keeps_the_rules(path: Path) -> None:
    assert faults_of(path, path.read_text()) == []


def test_every_folder_of_the_package_says_what_it_is() -> None:
    folders = {path.parent for path in modules()}
    for folder in folders:
        init = folder / "__init__.py"
        assert init.is_file(), folder
        assert ast.get_docstring(ast.parse(init.read_text())), init


def test_a_bad_module_is_found_out() -> None:
    source = '''
import sqlalchemy
from astropy.io import fits
from hscdb.db.queries import query
from hscdb.match.stage import run
def f():
    try:
        print("x")
    except Exception:
        return "SELECT visit FROM frame"
'''
    faults = faults_of(PACKAGE / "mosaic" / "flux.py", source)
    for said in ("imports sqlalchemy", "imports astropy.io.fits", "db is out of reach", "match is out of reach",
                 "SQL in a string", "prints in line 8", "broad except in line 9"):  # fmt: skip
        assert said in faults
    long = "def f():\n    # why\n\n" + "    x = 1\n" * 61
    assert faults_of(PACKAGE / "sky" / "x.py", long) == ["f has 61 lines"]
    assert faults_of(PACKAGE / "sky" / "x.py", "x = 1\n" * 301) == ["has 301 lines"]


def test_sql_lies_in_folders_named_after_stages() -> None:
    known = STAGES | DOORS | TOP
    assert {path.name for path in (ROOT / "sql").iterdir() if path.is_dir()} <= known


def test_the_top_level_is_as_agreed() -> None:
    agreed = {"pyproject.toml", "schema", "hscdb", "sql", "tests", "docker", "README.md", "LICENSE", "Makefile", ".ci",
              ".gitignore"}  # fmt: skip
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout: what else lies here is not ours to judge")
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {name.partition("/")[0] for name in tracked.splitlines()} - agreed == set()
