"""What a step costs: CPU seconds of this process and of the server process behind a connection; peak memory.

Walls of a machine with other work say little. A server on another machine cannot be asked: then the clock counts.
"""

import os
import resource
import time
from pathlib import Path

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


def all_spent_s(connection: psycopg.Connection) -> float:
    """As spent_s, with the parallel workers that have ended: of all on the server, therefore take one of your own
    without autovacuum."""
    parent = Path(f"/proc/{connection.info.backend_pid}/stat").read_text().rpartition(")")[2].split()[1]
    time.sleep(0.05)  # the server hears of a worker's end
    ended = Path(f"/proc/{parent}/stat").read_text().rpartition(")")[2].split()[13:15]
    return spent_s(connection) + sum(map(int, ended)) / _TICKS_PER_S


def peak_mb() -> int:
    """Largest memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
