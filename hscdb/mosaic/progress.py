"""What a long fit tells while it runs: how far it has come, its memory, and the time that is left."""

import logging
import resource
import sys
import time

logger = logging.getLogger(__name__)

_EVERY_S = 10.0  # a fit that is done sooner says nothing
_N_PASS = 7  # what most fits take: four soft passes, and until the set of outliers rests

# CPU seconds per detection of both fits, and of rows; per frame of its WCS and files (25 and 100 visits, bench_scale)
_FIT_S, _ROW_S, _FRAME_S = 3e-5, 1e-5, 4e-3


class Steps:
    """Told between reading, solving and writing, it logs where that will take long."""

    def __init__(self, n_obs: int) -> None:
        self.n_obs = n_obs
        self.is_long = n_obs * _FIT_S > _EVERY_S

    def begin(self, n_star: int, n_visit: int) -> None:
        """All is read: what there is, and how long one fit of each kind takes on an idle machine."""
        if self.is_long:
            logger.info(
                "%d detections of %d stars in %d visits are read; %.1f GB, positions and fluxes take about %.0f s",
                self.n_obs, n_star, n_visit, _peak_gb(), self.n_obs * _FIT_S,
            )  # fmt: skip

    def write(self, n_frame: int) -> None:
        """All is solved."""
        if self.is_long:
            left = self.n_obs * _ROW_S + n_frame * _FRAME_S
            logger.info("solved; %.1f GB, writing rows and files takes about %.0f s", _peak_gb(), left)


class Watch:
    """Told after each pass of a fit, it logs at most every ten seconds."""

    def __init__(self, what: str, unit: str) -> None:
        self.what, self.unit = what, unit
        self.begin = self.last = time.monotonic()

    def tell(self, n_pass: int, moved: float) -> None:
        """moved : by how much the last pass moved the solution, in the unit."""
        now = time.monotonic()
        if now - self.last < _EVERY_S:
            return
        self.last = now
        left = max(_N_PASS - n_pass, 1) * (now - self.begin) / n_pass
        logger.info(
            "%s: pass %d moved by %.3g %s; %.1f GB, about %.0f s left", self.what, n_pass, moved, self.unit, _peak_gb(),
            left,
        )  # fmt: skip


def _peak_gb() -> float:
    """Largest memory of this process so far; the system counts kB, on macOS bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e9 if sys.platform == "darwin" else 1e6)
