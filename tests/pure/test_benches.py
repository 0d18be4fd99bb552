"""The scripts of tests/bench/, which no other test runs, name only what the program has."""

import ast
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

BENCHES = sorted((Path(__file__).parents[1] / "bench").glob("*.py"))


def is_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # its parent is a module and no package
        return False


def named(script: ast.Module) -> Iterator[tuple[str, str]]:
    """(module, name in it) for all of hscdb that a script imports, and all it takes from the modules it imports."""
    modules: dict[str, str] = {}
    for node in ast.walk(script):
        if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "hscdb":
            for alias in node.names:
                yield str(node.module), alias.name
                if is_module(f"{node.module}.{alias.name}"):
                    modules[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    for node in ast.walk(script):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            yield modules[node.value.id], node.attr


def test_there_are_benches() -> None:
    assert len(BENCHES) > 20


@pytest.mark.parametrize("path", BENCHES, ids=lambda path: path.stem)
def test_a_bench_names_only_what_the_program_has(path: Path) -> None:
    missing = {
        f"{module}.{name}"
        for module, name in named(ast.parse(path.read_text(encoding="utf-8")))
        if not hasattr(import_module(module), name) and not is_module(f"{module}.{name}")
    }
    assert not missing
