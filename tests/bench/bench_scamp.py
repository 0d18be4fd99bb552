"""mosaic beside SCAMP on the same catalogs: how well stars that neither has seen repeat, and what it costs.

    python tests/bench/bench_scamp.py [--visits 12] [--ccds 20] [--stars 130] [--turbulence MAS] [--json]

A made HSC field: dithered visits, CCDs off their places, warped fields, references with Gaia's errors. Reserved
stars (1 of 10) are in no fit of either; their places are computed from both solutions at the same pixels and held
against their own means, as are the true places.
SCAMP gets three passes, cubics per chip, and a polynomial of degree 3 per exposure.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import scamp_peer

sys.path.insert(0, str(Path(__file__).parent.parent))
from joint_world import build, star_rows

from hscdb.camera import focalplane
from hscdb.camera.load import load
from hscdb.mosaic import flux, gather, solve
from hscdb.mosaic.places import Options
from hscdb.sky import sphere


def repeated(ra, dec, star, keep):
    """rms per axis [mas] of places about their stars' means, sqrt(n / (n - 1)) put back, clipped at 5 sigma."""
    star = np.unique(star[keep], return_inverse=True)[1]
    n = np.bincount(star)
    center = sphere.mean_position(ra[keep], dec[keep])
    plane = np.stack(sphere.project(ra[keep], dec[keep], *center), axis=1) * 3.6e6
    mean = np.stack([np.bincount(star, a) / n for a in plane.T], axis=1)
    off = ((plane - mean[star]) * np.sqrt(n / np.maximum(n - 1, 1))[star][:, None])[n[star] > 1]
    sigma = 1.4826 * np.median(np.abs(off), axis=0)
    return float(np.sqrt(np.mean([np.mean(a[np.abs(a) < 5 * s] ** 2) for a, s in zip(off.T, sigma, strict=True)])))


def peer(world, folder, references):
    """SCAMP's places (ra, dec) of all detections, and what it cost."""
    d = world.detections
    fitted = ~world.is_reserved[d["star"]]
    names = []
    for visit, one in world.visits.items():
        names.append(f"v{visit}.cat")
        chips = []
        for ccd in world.ccds:
            chip = world.camera.ccds[ccd]
            mine = d[fitted & (d["visit"] == visit) & (d["ccd"] == ccd)]
            # chips keep their places to each other in all exposures: the camera's geometry, not the frames' own fits
            wcs = focalplane.initial_wcs(world.camera, chip, one.ra, one.dec, one.rotator)
            chips.append((wcs, chip.width, chip.height, mine))
        scamp_peer.write_exposure(folder / names[-1], chips, (one.ra, one.dec), 2000.0 + (one.mjd - 51544.5) / 365.25)
    ra, dec, mag = references
    year = 2000.0 + (np.mean([v.mjd for v in world.visits.values()]) - 51544.5) / 365.25
    scamp_peer.write_references(folder / "refs.cat", ra, dec, world.ref_mas, mag, year)
    cost = scamp_peer.run(folder, names)
    out = np.full((2, len(d)), np.nan)
    for visit, name in zip(world.visits, names, strict=True):
        for ccd, wcs in zip(world.ccds, scamp_peer.solutions(folder, name), strict=True):
            k = (d["visit"] == visit) & (d["ccd"] == ccd)
            out[:, k] = wcs.pixel_to_sky(d["x"][k], d["y"][k])
    return out, cost


def ours(world, settings):
    """Our places (ra, dec) of the detections of star_rows, those rows, and CPU and wall seconds."""
    seen, frames, positions = star_rows(world)
    cpu, wall = time.process_time(), time.perf_counter()
    obs = gather.observations(seen, frames, False)
    none = np.full(obs.stars.size, np.nan)
    given = solve.Given(
        obs, gather.references(obs.stars, positions, none, none), frames, gather.zero_points(seen, frames)
    )
    result = solve.solve(world.camera, given, settings)
    spent = time.process_time() - cpu, time.perf_counter() - wall
    s = result.position.star[obs.star]
    ra, dec = sphere.from_vector(s)
    return sphere.deproject(*(result.position.residual.T / 3.6e6), ra, dec), seen, positions, spent, result


def main() -> None:
    """Build, solve twice, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visits", type=int, default=12)
    parser.add_argument("--ccds", type=int, default=20)
    parser.add_argument("--stars", type=float, default=130.0, help="per CCD")
    parser.add_argument("--json", action="store_true")
    words = parser.parse_args()
    if shutil.which("scamp") is None:
        print("bench_scamp: left out, no `scamp` on PATH (Debian: scamp)")
        return
    science = sorted((c for c in load("hsc").ccds.values() if c.is_science), key=lambda c: np.hypot(c.u_pix, c.v_pix))
    world = build("hsc", sorted(c.ccd for c in science[: words.ccds]), n_visit=words.visits, per_ccd=words.stars,
                  noise_pix=0.03, mag_noise=0.005, dither=1.5, seed=3, step_days=7.0,
                  rotators=np.zeros(words.visits))  # fmt: skip
    settings = solve.Settings(None, Options(), flux.Options(), False)
    ours(build("hsc", [49, 50], n_visit=2, per_ccd=40), settings)  # compiles
    (ra, dec), seen, positions, spent, result = ours(world, settings)
    refs = np.isin(positions["star_id"], 1 + np.flatnonzero(~world.is_reserved))
    references = positions["ra"][refs], positions["dec"][refs], world.mag[positions["star_id"][refs] - 1]
    with tempfile.TemporaryDirectory(prefix="hscdb-bench-") as folder:
        wall = time.perf_counter()
        theirs, cost = peer(world, Path(folder), references)
        wall = time.perf_counter() - wall
    # both in the order of `seen`: star, visit
    n = np.bincount(world.detections["star"], minlength=world.mag.size)
    k = np.flatnonzero((n >= 2)[world.detections["star"]])
    k = k[np.lexsort([world.detections["visit"][k], world.detections["star"][k]])]
    star, reserved = seen["star_id"] - 1, np.asarray(seen["is_reserved"])
    true = [np.empty(len(seen)) for _ in range(2)]
    for visit, ccd in world.frames:
        mine = (seen["visit"] == visit) & (seen["ccd"] == ccd)
        for a, b in zip(true, world.to_sky(visit, ccd, seen["x_pix"][mine], seen["y_pix"][mine]), strict=True):
            a[mine] = b
    figures = {}
    for name, (a, b) in (("ours", (ra, dec)), ("scamp", theirs[:, k])):
        off = np.stack(sphere.project(a, b, *true), axis=1)[reserved] * 3.6e6
        figures[name] = {"reserved_rms_mas": round(repeated(a, b, star, reserved), 3),
                         "wcs_error_mas": round(float(np.sqrt(np.mean(off**2))), 3)}  # fmt: skip
    result = {
        "detections": len(seen), "stars": int(np.unique(star).size), "injected_mas": round(0.03 * 168.8, 2), **figures,
        "order": result.position.notes["order"], "ours_cpu_s": round(spent[0], 2),
        "scamp_cpu_s": [round(c, 2) for c in cost["cpu_s"]],
        "scamp_peak_mb": cost["peak_mb"], "cpu_ratio": round(sum(cost["cpu_s"]) / spent[0], 2),
        "ours_wall_s": round(spent[1], 2), "scamp_wall_s": round(wall, 2),
    }  # fmt: skip
    print(json.dumps(result) if words.json else json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
