"""The process that workers are forked from: it imports the stages once, while the command still gets ready."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from typing import Any

from hscdb.run.threads import limit_threads

_is_used = False  # whether workers came from it, or will


def context(modules: Iterable[str]) -> ForkServerContext:
    """Where worker processes come from; modules: what they import, known to the fork server if this is the first call.

    The fork server ends with this process.
    """
    global _is_used
    _is_used = True
    return _context(modules)


def _context(modules: Iterable[str]) -> ForkServerContext:
    limit_threads()
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(["hscdb.run.begin", "hscdb.run.pool", *modules, "hscdb.run.ready"])
    return found


def start(modules: Iterable[str]) -> None:
    """Start the fork server at once instead of with the first worker: it imports on another core meanwhile."""
    _context(modules)
    is_main = threading.current_thread() is threading.main_thread()
    # Ctrl-C goes to the whole group: what is ignored now is ignored by the new process from its first moment on.
    former = signal.signal(signal.SIGINT, signal.SIG_IGN) if is_main else None
    try:
        forkserver.ensure_running()
    finally:
        if is_main:
            signal.signal(signal.SIGINT, former)


def stop_unused() -> None:
    """End the fork server if it was started for nothing: else it goes on importing for seconds after a command that
    had nothing to do."""
    started: Any = forkserver._forkserver  # Python has no public way to ask or to end it
    number = getattr(started, "_forkserver_pid", None)
    if number is not None and not _is_used:
        os.kill(number, signal.SIGKILL)  # it has no children yet
        started._stop()
