"""Cosmic rays against the truth, in seeing from 0.4 to 1.2 arcsec, of two populations, among 2800 stars and galaxies.

python tests/bench/bench_cosmic.py [--json] [--set c2=0.6 ...]

found: part of the cosmic-ray pixels above 5 sigma (of sky and source) that are flagged.  real: part of the flagged
objects that touch a cosmic ray.  cores: stars with a flagged pixel next to their center, none of theirs.  left: mean of
what remains in and beside flagged pixels, in sigma.  Goals: 0.95, 0.95, less than 0.001 of the stars.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("NUMBA_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import starfield
from scipy import ndimage

from hscdb.detect import cosmic_ray
from hscdb.image import mask as planes
from hscdb.simulate.cosmic import add_cosmic_rays

SHAPE = (1500, 1500)


def judged(arcsec: float, is_simulated: bool, settings: dict[str, float]) -> dict[str, float]:
    """One frame: straight thin tracks, or the simulator's slanted ones with the charge spread over two pixels."""
    fwhm = arcsec / 0.168
    sky, n = (713.0, 0) if is_simulated else (3000.0, 300)
    field = starfield.crowd(SHAPE, 2500, 300, seed=7, n_cosmic=n, fwhm=fwhm, snr_min=8, sky=sky)
    data, variance, rays = field.image.data, field.image.variance, field.cosmic
    if is_simulated:
        rng = np.random.default_rng(5)
        rays = np.zeros(SHAPE, np.float32)
        add_cosmic_rays(rays, rng, 200)
        data, variance = data + rng.poisson(rays).astype(np.float32), variance + rays
    one = np.array([30.0])
    stamp = starfield.make((61, 61), one, one, [1.0], [True], fwhm=fwhm, is_varying=False).model[15:46, 15:46]
    data, mask = (data - np.median(data)).astype(np.float32), np.zeros(SHAPE, np.int32)
    start = time.process_time()
    cosmic_ray.remove(data, variance.astype(np.float32), mask, stamp / stamp.sum(), **settings)
    spent = time.process_time() - start
    hit = (mask & planes.CR) != 0
    noise = np.sqrt(field.sky + 25 + field.model)
    strong = rays > 5 * noise
    label, n_label = ndimage.label(hit, np.ones((3, 3)))
    real = ndimage.maximum(rays, label, np.arange(1, n_label + 1)) > 50
    touched = ndimage.binary_dilation(rays > 1, iterations=3)
    places = zip(np.rint(field.y[field.is_star]).astype(int), np.rint(field.x[field.is_star]).astype(int), strict=True)
    cores = [hit[max(j - 1, 0) : j + 2, max(i - 1, 0) : i + 2].any() for j, i in places if not touched[j, i]]
    left = ((data - field.model) / noise)[ndimage.binary_dilation(hit, iterations=2)]
    found = float((hit & strong).sum() / strong.sum())
    return {
        "arcsec": arcsec, "simulated": float(is_simulated), "found": round(found, 4),
        "real": round(float(real.mean()), 4), "n": float(n_label), "cores": float(sum(cores)),
        "stars": float(len(cores)), "left": round(float(left.mean()), 3), "cpu_s": round(spent, 3),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", nargs="*", default=[])
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    settings = {name: float(number) for name, _, number in (word.partition("=") for word in told.set)}
    judged(0.7, False, settings)  # compiles
    table = [judged(arcsec, kind, settings) for arcsec in (0.4, 0.55, 0.7, 0.9, 1.2) for kind in (False, True)]
    if told.json:
        print(json.dumps(table))
        return
    print("  ".join(f"{name:>9}" for name in table[0]))
    for row in table:
        print("  ".join(f"{number:9g}" for number in row.values()))


if __name__ == "__main__":
    main()
