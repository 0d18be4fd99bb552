"""Widths of the pulls of shapes, Gaussian and Kron fluxes of simulated stars and galaxies by S/N, and CPU per source.

python tests/bench/bench_shapes.py [--n 1000] [--sky 3000]

Stamps with photon noise: Moffat stars of FWHM 3.9 pix, exponential galaxies of half-light radius 3 and 6 pix and de
Vaucouleurs of 3 in it; S/N is that of the PSF flux. A width of n pulls is known to 1.17 / sqrt(n) of itself.
"""

import argparse
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("NUMBA_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from shape_stamps import KINDS, SIDE, drawn, told, width


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=1000, help="images of each kind and S/N")
    parser.add_argument("--sky", type=float, default=3000.0, help="electrons per pixel")
    asked = parser.parse_args()
    print(f"{'kind':16}{'S/N':>6}{'ixx':>8}{'iyy':>8}{'ixy':>8}{'gauss':>8}{'kron':>8}{'no shape':>10}")
    for kind in KINDS:
        for snr in (5, 7, 10, 20, 50, 100, 200, 500):
            pulls, flags = drawn(kind, snr, asked.n, asked.sky)
            wide = "".join(f"{each:8.2f}" for each in width(pulls))
            print(f"{kind:16}{snr:6d}{wide}{np.mean(flags != 0):10.3f}")
    light = np.random.default_rng(1).normal(0.0, 50.0, (2000, SIDE, SIDE))
    light += 30000.0 * KINDS["star"].drawImage(nx=SIDE, ny=SIDE, scale=1.0).array
    start = time.process_time()
    told(light, np.full_like(light, 2500.0))
    print(f"{1e6 * (time.process_time() - start) / len(light):.0f} us of CPU a star of S/N 60, stamps' making included")


if __name__ == "__main__":
    main()
