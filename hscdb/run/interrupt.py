"""Ctrl-C (and SIGTERM) as a KeyboardInterrupt, raised only where a task can be given up cleanly.

Python raises KeyboardInterrupt between any two bytecodes. In the middle of a statement it leaves psycopg's connection
with "another command in progress"; in the middle of a commit nobody knows whether the task is done. So the signal is
held, and raised inside a stage's own work (`open`: the worker then drops the connection) and between tasks (`check`).
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class StoppedError(KeyboardInterrupt):
    """A command was stopped, and its tasks in hand were given back. exit_status: 128 + the signal, as shells say it."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.exit_status = 128 + number


@contextmanager
def stopping() -> Iterator[None]:
    """Let SIGTERM (kill, the end of a batch system's patience) stop a command as Ctrl-C does, and tell them apart.

    StoppedError after either. A handler that is there already stays; outside the main thread nothing is changed.
    """

    def received(number: int, frame: Any) -> None:
        raise StoppedError(number)

    is_free = (
        threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    )
    if is_free:
        signal.signal(signal.SIGTERM, received)
    try:
        yield
    except StoppedError:
        raise
    except KeyboardInterrupt:
        raise StoppedError(signal.SIGINT) from None
    finally:
        if is_free:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


class Interrupt:
    """Holds SIGINT and SIGTERM until a worker can stop. A second one is raised wherever it comes."""

    def __init__(self) -> None:
        self.is_asked = False
        self._is_open = False
        self._number: int = signal.SIGINT

    def _received(self, number: int, frame: Any) -> None:
        is_again, self.is_asked, self._number = self.is_asked, True, number
        if self._is_open or is_again:
            raise self.error

    @property
    def error(self) -> StoppedError:
        """What is raised."""
        return StoppedError(self._number)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the signals. Those that are ignored (nohup, a worker process) or end the process at once stay so;
        outside the main thread, where Python allows no handlers, nothing is done."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        ours = {number: handler for number, handler in before.items() if callable(handler)}
        for number in ours:
            signal.signal(number, self._received)
        try:
            yield
        finally:
            for number, handler in ours.items():
                signal.signal(number, handler)

    @contextmanager
    def open(self) -> Iterator[None]:
        """Raise StoppedError, a KeyboardInterrupt, as soon as it is asked for. One that was lost (none is raised in
        finalizers) is raised at the end."""
        self._is_open = True
        try:
            self.check()
            yield
        finally:
            self._is_open = False
        self.check()

    def check(self) -> None:
        """Raise StoppedError if it was asked for."""
        if self.is_asked:
            raise self.error
