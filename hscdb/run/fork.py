"""The process that workers are forked from: it imports the stages once, while the command still gets ready."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Iterable
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext

from hscdb.run.threads import limit_threads


def context(modules: Iterable[str]) -> ForkServerContext:
    """Where worker processes come from; modules: what they import, known to the fork server if this is the first call.

    The fork server ends with this process.
    """
    limit_threads()
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(["hscdb.run.pool", *modules, "hscdb.run.ready"])
    return found


def start(modules: Iterable[str]) -> None:
    """Start the fork server at once instead of with the first worker: it imports on another core meanwhile."""
    context(modules)
    is_main = threading.current_thread() is threading.main_thread()
    # Ctrl-C goes to the whole group: what is ignored now is ignored by the new process from its first moment on.
    former = signal.signal(signal.SIGINT, signal.SIG_IGN) if is_main else None
    try:
        forkserver.ensure_running()
    finally:
        if is_main:
            signal.signal(signal.SIGINT, former)
