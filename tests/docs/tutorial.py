"""The pages of hscdb/tutorial: their blocks, and what a shell makes of a line."""

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from hscdb.cli import main, old

PAGES = Path(__file__).resolve().parents[2] / "hscdb" / "tutorial"

_PARTS = re.compile(r"^#+ ([^\n]*)$|^```([\w-]*)\n(.*?)^```", re.M | re.S)


@dataclass(frozen=True)
class Block:
    """A fenced block: its page, language, the heading above it, and its text."""

    page: str
    language: str
    heading: str
    text: str


@dataclass(frozen=True)
class Told:
    """How a line ended."""

    status: int
    out: str
    err: str


def blocks(*languages: str) -> Iterator[Block]:
    """The blocks of some languages, page by page."""
    for path in (PAGES / "README.md", *sorted(PAGES.glob("[0-9]*.md"))):
        heading = ""
        for title, language, text in _PARTS.findall(path.read_text()):
            heading = title or heading
            if not title and language in languages:
                yield Block(path.name, language, heading, text)


def as_a_shell(text: str) -> tuple[str, list[str]]:
    """Name and words of a line as a shell hands them over."""
    name, *words = shlex.split(text, comments=True)
    shown = [os.path.expanduser(word) if word.startswith("~/") else word for word in words]
    return name, [word if " " in word else os.path.expandvars(word) for word in shown]


def run(text: str) -> Told:
    """Run a line: a command of ours, an old one, or `ln -s`."""
    name, words = as_a_shell(text)
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        if name == "ln":
            Path(words[2]).symlink_to(words[1])
            status = 0
        else:
            status = main(words) if name == "hscdb" else old.run(name, words)
    return Told(status, out.getvalue(), err.getvalue())


def run_python(page: str, found: dict[str, Any]) -> Iterator[tuple[Block, str]]:
    """The python blocks of a page one after another, in one namespace, with what each prints."""
    for block in blocks("python"):
        if block.page == page:
            out = StringIO()
            with redirect_stdout(out):
                exec(compile(block.text, f"{page}: {block.heading}", "exec"), found)
            yield block, out.getvalue()
