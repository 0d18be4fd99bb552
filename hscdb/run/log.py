"""Log lines with the data id in front, and progress.

`12:03:07 isr visit=903334 ccd=50  overscan 4 amplifiers, 1003.2 +- 0.9 adu`: stage and data id come from a context
variable, so that pure code never carries a logger argument.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TextIO

logger = logging.getLogger("hscdb.run")
_subject: ContextVar[str] = ContextVar("subject", default="")
_SPEAKER = "HSCDB_SPEAK_AS"  # the hscPipe command whose lines are imitated; in the environment, for workers have it too
_LEVELS = {"trace": 10, "debug": 10, "info": 20, "warn": 30, "warning": 30, "error": 40, "fatal": 50}


@contextmanager
def subject(text: str) -> Iterator[None]:
    """Put `text` (stage and data id) in front of every log line made inside."""
    token = _subject.set(text)
    try:
        yield
    finally:
        _subject.reset(token)


def speak_as(name: str) -> None:
    """Let all lines begin as those of an hscPipe command do, `makeDiscreteSkyMap INFO: `; "" ends that."""
    if name:
        os.environ[_SPEAKER] = name
    else:
        os.environ.pop(_SPEAKER, None)


def speaker() -> str:
    """The name given to `speak_as`; "" if there is none."""
    return os.environ.get(_SPEAKER, "")


class _Format(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """One line: time, subject, message; level in words above INFO."""
        where = f" ({record.pathname}:{record.lineno})" if getattr(self, "is_long", False) else ""
        spoken = speaker()
        if spoken:
            level = {"WARNING": "WARN", "CRITICAL": "FATAL"}.get(record.levelname, record.levelname)
            stage, _, about = _subject.get().partition(" ")
            if about in ("", "repository"):
                line = f"{spoken} {level}: {record.getMessage()}{where}"
            else:
                line = f"{spoken}.{stage} {level}: {about}: {record.getMessage()}{where}"
            return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        about = _subject.get() or record.name.removeprefix("hscdb.")
        level = "" if record.levelno <= logging.INFO else f"{record.levelname.lower()}: "
        line = f"{clock} {about}  {level}{record.getMessage()}{where}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def start(level: str = "info", *, is_long: bool = False, stream: TextIO | None = None) -> None:
    """Send the log of hscdb to standard error (or `stream`) from this level on: trace debug info warn error fatal."""
    handler = logging.StreamHandler(stream or sys.stderr)
    formatter = _Format()
    formatter.is_long = is_long  # type: ignore[attr-defined]  # read back by format()
    handler.setFormatter(formatter)
    root = logging.getLogger("hscdb")
    root.handlers[:] = [handler]
    root.propagate = False
    root.setLevel(level_number(level))


def level_number(level: str) -> int:
    """Number of a level's name. KeyError if there is no such level."""
    return _LEVELS[level.lower()]


class Progress:
    """How far a stage has come: a rich bar on a terminal, one log line per 10 % otherwise."""

    def __init__(self, label: str, n_total: int) -> None:
        self.label, self.n_total = label, n_total
        self.n_done = self.n_failed = 0
        self._tenth = 0
        self._started = time.monotonic()
        self._bar = None
        if sys.stderr.isatty() and n_total > 1:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[failed]}"),
                console=Console(stderr=True),
                transient=True,
            )
            self._row = self._bar.add_task(label, total=n_total, failed="")
            self._bar.start()

    def step(self, *, is_failed: bool = False) -> None:
        """One unit is over."""
        self.n_done += 1
        self.n_failed += is_failed
        failed = f"{self.n_failed} failed" if self.n_failed else ""
        if self._bar is not None:
            self._bar.update(self._row, completed=self.n_done, failed=failed)
        elif self.n_total >= 10 and self.n_done * 10 // self.n_total > self._tenth:
            self._tenth = self.n_done * 10 // self.n_total
            seconds = time.monotonic() - self._started
            logger.info(
                "%s: %d of %d units in %.0f s%s",
                self.label,
                self.n_done,
                self.n_total,
                seconds,
                f", {failed}" if failed else "",
            )

    def line(self, text: str) -> None:
        """A log line of a worker, above the bar if there is one."""
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            sys.stderr.write(text + "\n")

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
