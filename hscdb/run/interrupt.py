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


class Interrupt:
    """Holds SIGINT and SIGTERM until a worker can stop. A second one is raised wherever it comes."""

    def __init__(self) -> None:
        self.is_asked = False
        self._is_open = False

    def _received(self, number: int, frame: Any) -> None:
        is_again, self.is_asked = self.is_asked, True
        if self._is_open or is_again:
            raise KeyboardInterrupt

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
        """Raise KeyboardInterrupt as soon as it is asked for. One that was lost (Python cannot raise in a finalizer)
        is raised at the end."""
        self._is_open = True
        try:
            self.check()
            yield
        finally:
            self._is_open = False
        self.check()

    def check(self) -> None:
        """Raise KeyboardInterrupt if it was asked for."""
        if self.is_asked:
            raise KeyboardInterrupt
