"""What a step costs: CPU seconds of this process and of the server process behind a connection; peak memory.

Walls of a machine with other work say little. A server on another machine cannot be asked: then the clock counts.
"""

import os
import resource
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import psycopg

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def spent_s(*connections: psycopg.Connection) -> float:
    """CPU seconds spent so far; differences count. Seconds of the clock if a server process is not of this machine."""
    total = time.process_time()
    for connection in connections:
        stat = Path(f"/proc/{connection.info.backend_pid}/stat")
        if not stat.exists() or "postgres" not in stat.read_text():
            return time.perf_counter()
        total += sum(int(word) for word in stat.read_text().rpartition(")")[2].split()[11:13]) / _TICKS_PER_S
    return total


def scheduled_ms(connection: psycopg.Connection) -> np.ndarray:
    """(2,): milliseconds that a connection's server process has run so far, and has waited for a core."""
    words = Path(f"/proc/{connection.info.backend_pid}/schedstat").read_text().split()
    return np.array(words[:2], float) / 1e6


def all_spent_s(connection: psycopg.Connection) -> float:
    """As spent_s, with the parallel workers that have ended: of all on the server, therefore take one of your own
    without autovacuum."""
    parent = Path(f"/proc/{connection.info.backend_pid}/stat").read_text().rpartition(")")[2].split()[1]
    time.sleep(0.05)  # the server hears of a worker's end
    ended = Path(f"/proc/{parent}/stat").read_text().rpartition(")")[2].split()[13:15]
    return spent_s(connection) + sum(map(int, ended)) / _TICKS_PER_S


def server_s(pid: int) -> float:
    """CPU seconds of a server, by its first process, and all its others so far, those that ended included."""
    total = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = path.read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        if int(path.parent.name) == pid:
            total += sum(int(word) for word in words[11:15])
        elif int(words[1]) == pid:
            total += sum(int(word) for word in words[11:13])
    return total / _TICKS_PER_S


@contextmanager
def first(connection: psycopg.Connection, is_both: bool = False) -> Iterator[None]:
    """The processes of this connection's server go before all others: its clock is then that of an idle machine.

    is_both : so does this process, with its session, as long as it lasts.
    """
    own = Path("/proc/self/autogroup")
    with ahead(int(Path(f"/proc/{connection.info.backend_pid}/stat").read_text().rpartition(")")[2].split()[1])):
        try:
            if is_both:
                own.write_text("-20")
            yield
        finally:
            if is_both:
                own.write_text("0")


@contextmanager
def ahead(server: int, *leaders: int) -> Iterator[None]:
    """The processes of a server, by its first one, and sessions, by their leaders, go before all others.

    Only for root, and only for seconds. Linux shares the cores among sessions, and each server process is one of its
    own (setsid), so the weight of the session counts, not that of the process; workers come while a statement runs.
    """
    children, ended = Path(f"/proc/{server}/task/{server}/children"), threading.Event()
    done: set[str] = set()

    def lift() -> None:
        while not ended.wait(0.005):
            for child in [*map(str, leaders), *children.read_text().split()]:
                session = Path(f"/proc/{child}/autogroup")
                if child not in done and session.exists():
                    done.add(child)
                    with suppress(OSError):  # it has ended meanwhile
                        session.write_text("-20")

    thread = threading.Thread(target=lift, daemon=True)
    thread.start()
    try:
        time.sleep(0.05)
        yield
    finally:
        ended.set()
        thread.join()


def peak_mb() -> int:
    """Largest memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
