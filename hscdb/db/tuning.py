"""Settings of the embedded server, sized to the machine."""

import os
import shutil
from pathlib import Path

_MB = 1 << 20
_GB = 1 << 30


def memory_bytes() -> int:
    """Memory this process may use: the machine's, or the control group's limit if that is smaller."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(limit).read_text().strip()
        except OSError:
            continue
        if text.isdigit():
            total = min(total, int(text))
    return total


def _mb(n_bytes: float, low: int, high: int) -> str:
    return f"{int(min(max(n_bytes, low), high) // _MB)}MB"


def settings(data: Path) -> dict[str, str]:
    """Server settings for this machine, name to content as written in postgresql.conf.

    The pixels need the memory too: the server takes an eighth for its buffers. jit is off because the estimates of sky
    joins are far too high, and compiling then costs 100 times the query (measured: 390 ms instead of 11 ms).
    """
    memory = memory_bytes()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    free = shutil.disk_usage(data).free
    chosen = {
        "shared_buffers": _mb(memory / 8, 128 * _MB, 4 * _GB),
        "effective_cache_size": _mb(memory / 2, 256 * _MB, 256 * _GB),
        "work_mem": _mb(memory / 256, 16 * _MB, 256 * _MB),
        "maintenance_work_mem": _mb(memory / 32, 64 * _MB, _GB),
        "max_wal_size": _mb(free / 10, 512 * _MB, 8 * _GB),
        "checkpoint_timeout": "15min",
        "max_connections": str(50 + 4 * cores),
        "max_worker_processes": str(8 + cores),
        "max_parallel_workers": str(cores),
        "max_parallel_workers_per_gather": str(min(4, cores // 2)),
        "random_page_cost": "1.1",
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_checkpoints": "off",
        "log_autovacuum_min_duration": "-1",
        "unix_socket_permissions": "0700",
    }
    # A container's /dev/shm has often 64 MB: too little for the hash tables of a parallel join.
    try:
        shm = shutil.disk_usage("/dev/shm").total
    except OSError:
        shm = 0
    if shm < _GB:
        chosen["dynamic_shared_memory_type"] = "mmap"
    return chosen
