"""CPU seconds and memory per simulated HSC frame of each kind: `python tests/bench/bench_simulate.py [--json]`.

The floor is what no simulator can avoid: drawing one normal deviate per raw pixel by numpy and writing the file.
"""

import argparse
import json
import platform
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from hscdb.simulate import exposure, frame, write
from hscdb.simulate.setup import Setup


def best(function, n: int) -> float:
    """Smallest CPU time of n calls."""
    times = []
    for _ in range(n):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


def floor(path: Path) -> None:
    """One deviate per pixel, rounded and written."""
    deviates = np.random.default_rng(1).standard_normal((4241, 2144), np.float32)
    write.write_raw(path, (1000.0 + 3.0 * deviates).astype(np.uint16), [])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ccd", type=int, default=50)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="one JSON line per case instead of a table")
    args = parser.parse_args()
    setup = Setup(n_visit=1, n_bias=1, n_dark=1, n_flat=1)
    planned = exposure.exposures(setup, frame.camera_of(setup))
    print(f"# python {platform.python_version()}, numpy {np.__version__}, {platform.machine()}, best of {args.repeat}")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        (out / "raw").mkdir()
        (out / "calib").mkdir()
        for one in planned:  # compile, and fill the cache of the sky
            write.write_frame(out, setup, one, args.ccd)
        base = best(lambda: floor(out / "floor.fits"), args.repeat)
        for one in planned:
            seconds = best(lambda one=one: write.write_frame(out, setup, one, args.ccd), args.repeat)
            megabyte = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            case = {"case": f"simulate_{one.kind}", "cpu_s": round(seconds, 3), "floor_ratio": round(seconds / base, 2),
                    "peak_mb": megabyte}  # fmt: skip
            print(json.dumps(case) if args.json else "  ".join(f"{key} {content}" for key, content in case.items()))


if __name__ == "__main__":
    main()
