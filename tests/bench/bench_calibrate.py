"""CPU seconds of calibrate's astrometry and zero point on one HSC CCD, beside astropy's TAN-SIP fit of known pairs.

    python tests/bench/bench_calibrate.py [--stars 700] [--repeat 5] [--json]

Ours has to find the pairs first: pointing 25 arcsec, rotator 0.3 degree, scale 0.4 % off, the optics' distortion as the
camera's description has it. The peer, astropy.wcs.utils.fit_wcs_from_points (order 3), is given the right pairs.
Both are judged by their rms error on the true places of the stars.
"""

import argparse
import json
import platform
import resource
import time
from collections.abc import Callable
from typing import Any

import astropy
import numpy as np
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.wcs.utils import fit_wcs_from_points

from hscdb.calibrate import astrometry, blind, photometry, rows
from hscdb.calibrate.astrometry import Detections, Limits
from hscdb.calibrate.reference import Places
from hscdb.camera.focalplane import initial_wcs, pixel_to_sky
from hscdb.camera.load import load
from hscdb.sky import sphere


def best(function: Callable[[], Any], repeat: int) -> tuple[float, Any]:
    """Least CPU seconds of some calls, and what the last one gave."""
    spent = []
    for _ in range(repeat):
        begin = time.process_time()
        found = function()
        spent.append(time.process_time() - begin)
    return min(spent), found


def scene(n_star: int) -> tuple[Any, ...]:
    """Detections (0.02 pix), references (5 mas), their fluxes, first WCS, size, who is found, true places."""
    camera, rng = load("hsc"), np.random.default_rng(3)
    chip = camera.ccds[4]
    start = initial_wcs(camera, chip, 150.0, 2.0, 30.0)
    ra, dec = sphere.deproject(20.0 / 3600, -15.0 / 3600, 150.0, 2.0)
    n = int(n_star * (chip.width + 600) * (chip.height + 600) / (chip.width * chip.height))
    x, y = rng.uniform(-300, chip.width + 300, n), rng.uniform(-300, chip.height + 300, n)
    xi, eta = sphere.project(*pixel_to_sky(camera, chip, ra, dec, 30.3, x, y), ra, dec)
    star_ra, star_dec = sphere.deproject(xi * 1.004, eta * 1.004, ra, dec)
    flux = 10 ** rng.uniform(2, 5, n)
    inside = (x > 0) & (x < chip.width - 1) & (y > 0) & (y < chip.height - 1)
    inside &= rng.uniform(size=n) < 0.9
    count = int(inside.sum())
    detected = Detections(
        x[inside] + rng.normal(0, 0.02, count), y[inside] + rng.normal(0, 0.02, count), np.full(count, 0.02),
        flux[inside],
    )  # fmt: skip
    err = 5.0 / 3.6e6
    places = Places(
        star_ra + rng.normal(0, err, n) / np.cos(np.radians(star_dec)), star_dec + rng.normal(0, err, n),
        np.full(n, 5.0), np.arange(n) % 10 == 9,
    )  # fmt: skip
    return detected, places, flux, start, (chip.width, chip.height), inside, (x, y, star_ra, star_dec)


def blindly() -> Any:
    """A CCD of 150 stars and as many false sources among the 10 000 references within half a degree."""
    rng = np.random.default_rng(8)
    reach = 10714.0
    n = round(150 * np.pi * (reach + 2700) ** 2 / (2048 * 4176))
    r, t = (reach + 2700) * np.sqrt(rng.uniform(size=n)), rng.uniform(0, 2 * np.pi, n)
    ref, ref_flux = np.stack([r * np.cos(t), r * np.sin(t)], 1), 10 ** rng.exponential(0.6, n)
    c, s = np.cos(2.2), np.sin(2.2)
    source = (ref - (6000.0, -5000.0)) @ np.array([[c, -s], [s, c]]) * (1.0, -1.0)
    seen = (np.abs(source) < (1024, 2088)).all(axis=1)
    false = rng.uniform((-1024, -2088), (1024, 2088), (seen.sum(), 2))
    places = np.vstack([source[seen] + rng.normal(0, 0.3, (seen.sum(), 2)), false])
    true_flux = ref_flux[seen] * 10 ** rng.normal(0, 0.08, seen.sum())
    flux = np.concatenate([true_flux, 10 ** rng.exponential(0.6, len(false))])
    return blind.find(places, flux, ref, ref_flux, frame_area=2048.0 * 4176.0, max_shift_pix=reach)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stars", type=int, default=700)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    detected, places, flux, start, size, inside, (x, y, ra, dec) = scene(told.stars)
    begin = time.process_time()
    astrometry.solve(detected, places, flux, start, size, Limits())
    first_s = time.process_time() - begin

    def error_mas(found_ra: Any, found_dec: Any) -> float:
        return float(np.sqrt(np.mean(sphere.separation(found_ra, found_dec, ra[inside], dec[inside]) ** 2)) * 3.6e6)

    ours_s, solution = best(lambda: astrometry.solve(detected, places, flux, start, size, Limits()), told.repeat)
    coordinates = SkyCoord(places.ra[inside], places.dec[inside], unit=units.deg)
    peer_s, peer = best(
        lambda: fit_wcs_from_points((detected.x, detected.y), coordinates, projection="TAN", sip_degree=3), 2
    )
    blind_s, guess = best(blindly, told.repeat)
    mag = -2.5 * np.log10(flux[inside])
    zero_s, _ = best(
        lambda: photometry.solve(mag, np.full(len(mag), 0.01), flux[inside], flux[inside] * 0.01), told.repeat
    )
    rng = np.random.default_rng(1)
    many = rng.uniform(0, 2000, (2, 2500))
    places_s, _ = best(
        lambda: rows.place_errors(solution.wcs, *many, *np.full((2, 2500), 0.02), np.zeros(2500)), told.repeat
    )
    figures = {
        "n_detected": int(inside.sum()), "n_reference": len(places.ra), "cpu_s solve": round(ours_s, 4),
        "cpu_s astropy, pairs known": round(peer_s, 4), "ratio to astropy": round(ours_s / peer_s, 3),
        "error_mas": round(error_mas(*solution.wcs.pixel_to_sky(x[inside], y[inside])), 2),
        "error_mas astropy": round(error_mas(*peer.all_pix2world(x[inside], y[inside], 0)), 2),
        "cpu_s blind, half a degree": round(blind_s, 3), "found": guess is not None,
        "cpu_s zero point": round(zero_s, 4), "cpu_s errors of 2500 places": round(places_s, 4),
        "cpu_s first call": round(first_s, 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }  # fmt: skip
    print(f"python {platform.python_version()} numpy {np.__version__} astropy {astropy.__version__}")
    print(json.dumps(figures) if told.json else "\n".join(f"{name:32s}{value}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
