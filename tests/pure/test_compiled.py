"""Kept machine code goes when a kernel's file, whichever, has changed, and only then; it is loaded ahead."""

import subprocess
import sys
from pathlib import Path

import pytest

from hscdb.compiled import forget_outdated

INNER = "from numba import njit\n\n\n@njit(cache=True)\ndef inner(x):\n    return x + {}\n"
OUTER = """from numba import njit

from made.inner import inner


@njit(cache=True)
def outer(x):
    return inner(x)
"""
ASK = (
    "from hscdb.compiled import forget_outdated; forget_outdated('made'); from made.outer import outer; print(outer(1))"
)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "plain.py").write_text("A = 1\n")
    (folder / "inner.py").write_text(INNER.format(1))
    (folder / "outer.py").write_text(OUTER)
    return folder


@pytest.mark.parametrize("word", ["njit", "numba.njit"])
def test_a_kernel_within_another_is_compiled_anew(package: Path, word: str):
    def inner(number: int) -> None:
        text = INNER.format(number).replace("@njit", f"@{word}")
        (package / "inner.py").write_text(text.replace("import njit", "import njit\nimport numba"))

    def asked() -> str:
        told = subprocess.run(
            [sys.executable, "-c", ASK], cwd=package.parent, capture_output=True, text=True, check=True
        )
        return told.stdout.strip()

    inner(1)
    assert asked() == "2"
    assert list(package.rglob("*.nbi"))
    inner(10)
    assert asked() == "11"


def test_what_has_no_kernels_may_change(package: Path):
    assert forget_outdated(str(package)) == 0
    kept = package / "__pycache__" / "outer.nbi"
    kept.write_text("code")
    (package / "plain.py").write_text("A = 22\n")
    (package / "more.py").write_text("B = 3\n")
    assert forget_outdated(str(package)) == 0
    assert kept.exists()
    (package / "inner.py").write_text(INNER.format(100))
    assert forget_outdated(str(package)) == 1
    assert not kept.exists()


USE = """from made.outer import outer


class Use:
    @staticmethod
    def all(numbers):
        return [outer(x) for x in numbers]
"""


def test_what_was_kept_and_python_calls_is_loaded_before_its_first_call_and_nothing_is_compiled_for_it(package: Path):
    (package / "use.py").write_text(USE)
    code = (
        "import sys; from hscdb.run.kernels import load_kept; import made.use; from made.outer import inner, outer;"
        "print(load_kept('made.'), inner.signatures, outer.signatures, sum(outer.stats.cache_misses.values()));"
        "{}"
    )

    def asked(then: str) -> str:
        told = subprocess.run(
            [sys.executable, "-c", code.format(then)], cwd=package.parent, capture_output=True, text=True, check=True
        )
        return told.stdout.strip()

    assert asked("outer(1); outer(1.5)") == "0 [] [] 0"
    found = asked("")
    assert found.startswith("2 [] ")  # for whole numbers and others; the inner one is part of it
    assert "int64" in found
    assert "float64" in found
    assert found.endswith(" 0")


def test_the_process_that_workers_are_forked_from_has_what_frames_need():
    """Else every worker imports for itself what a stage imports when it comes to it."""
    code = (
        "import sys, hscdb.detect.stage, hscdb.calibrate.stage, hscdb.run.ready;"
        "print('scipy.spatial' in sys.modules, 'astropy.table' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["True", "True"]
