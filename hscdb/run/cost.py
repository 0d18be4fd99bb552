"""What a task costs: wall-clock and processor seconds, memory."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass, field


@dataclass
class Clock:
    """Started when it is made."""

    wall: float = field(default_factory=time.perf_counter)
    cpu: float = field(default_factory=time.process_time)

    @property
    def seconds(self) -> tuple[float, float]:
        """Wall-clock and processor seconds since the beginning."""
        return time.perf_counter() - self.wall, time.process_time() - self.cpu


def peak_mb() -> float:
    """Largest resident memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
