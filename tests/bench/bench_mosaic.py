"""How fast and how well mosaic solves a made HSC field, beside scipy's sparse least squares on the same equations.

    python tests/bench/bench_mosaic.py [--visits 12] [--ccds 96] [--stars 130] [--json]

The peer gets the linearised problem of one pass with all stars as unknowns (a sparse matrix, made outside of the
clock) and has 500 passes of LSMR for it; what it is then still off is told. That both solve the same equations is
checked against numpy's dense least squares on a small field.
"""

import argparse
import json
import platform
import resource
import sys
import time
from pathlib import Path

import numpy as np
import scipy
from scipy.sparse import block_array, coo_matrix, diags
from scipy.sparse.linalg import lsmr

sys.path.insert(0, str(Path(__file__).parent.parent))
from joint_world import build, star_rows

from hscdb.camera.load import load
from hscdb.mosaic import astrometry, basis, ccdterms, flux, frames, gather, geometry, judge, prepare, schur, unknowns
from hscdb.mosaic.places import Options, State, inverse, start
from hscdb.sky import sphere

_LSMR_PASSES = 500


def arrays(world):
    """What the stage would have read: observations, references, geometry and per-visit facts."""
    seen, found_frames, positions = star_rows(world)
    obs = gather.observations(seen, found_frames, False)
    known = np.isin(obs.stars - 1, np.flatnonzero(world.has_ref))
    rng = np.random.default_rng(5)
    mag = np.where(known, world.mag[obs.stars - 1] + rng.normal(0, 0.01, obs.stars.size), np.nan)
    refs = gather.references(obs.stars, positions, mag, np.where(known, 0.01, np.nan))
    where = geometry.plane(world.camera, obs.ccds)
    return {
        "obs": obs, "refs": refs, "where": where,
        "places": geometry.places(where, obs.ccds, obs.ccd, obs.x, obs.y),
        "per_visit": prepare.per_visit(found_frames, obs, world.camera),
        "rotation": geometry.rotations(world.camera, obs.ccds),
        "anchors": geometry.anchors(where, found_frames, obs.visits),
    }  # fmt: skip


def clock(function, *arguments):
    """(answer, CPU s, wall s)."""
    cpu, wall = time.process_time(), time.perf_counter()
    answer = function(*arguments)
    return answer, time.process_time() - cpu, time.perf_counter() - wall


def positions(a, **options):
    """The astrometric fit."""
    return astrometry.fit(
        a["obs"], a["refs"], a["places"], a["per_visit"]["crval"], a["per_visit"]["mjd"], a["rotation"],
        Options(**options), True, a["anchors"],
    )  # fmt: skip


def fluxes(a, solution):
    """The photometric fit, pixel areas first."""
    areas = np.array([frames.area_at_axis(a["where"], solution, e) for e in range(a["obs"].visits.size)])
    jacobian = frames.jacobians(a["where"], solution, a["obs"], a["places"], areas)
    mag = a["obs"].mag - 2.5 * np.log10(jacobian)
    return flux.fit(a["obs"], a["refs"], a["places"], mag, a["per_visit"]["zero"], flux.Options())


def one_pass(a, is_dense=False):
    """The equations at the start: by elimination and by LSMR; CPU s, and the largest difference of the answers at a
    fitted detection [mas]. is_dense: that difference alone, from numpy's dense least squares (small fields)."""
    obs, options = a["obs"], Options()
    may = (obs.reason == "") & ~obs.is_reserved
    order = unknowns.supported(obs, may, options)
    begin = start(obs, a["places"], a["per_visit"]["crval"], options, order, True, a["anchors"])
    state = State(obs, a["refs"], a["places"], a["per_visit"]["crval"], a["per_visit"]["mjd"], begin, options)
    state.linearize()
    given = state.covariance(a["rotation"])
    weight, use = inverse(given), may.astype(float)
    ref_weight, ref_offset = state.reference()
    ridge = unknowns.loose(obs, options)

    def eliminated():
        h, g = schur.reduce_positions(
            obs.start, obs.visit, obs.ccd, state.x, state.y, options.order, obs.visits.size, obs.ccds.size,
            state.turn, state.plate, a["places"].lever, weight, use, state.offset, ref_weight, ref_offset,
        )  # fmt: skip
        return schur.solve(h, g, ridge, np.zeros(ridge.size), np.ones(ridge.size, bool))[0]

    ours, cpu, _ = clock(eliminated)
    matrix, right, model = _sparse(obs, state, options, weight * may[:, None], ref_weight, ref_offset, ridge)
    rows = np.repeat(may, 2)

    def apart(answer):
        return float(np.abs(model @ (answer[: ridge.size] - ours))[rows].max())

    # unit columns, as schur.solve has them
    scale = 1.0 / np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=0)).ravel())
    scaled = (matrix @ diags(scale)).tocsr()
    if is_dense:
        return apart(np.linalg.lstsq(scaled.toarray(), right, rcond=None)[0] * scale)
    found, lsmr_cpu, _ = clock(lambda: lsmr(scaled, right, atol=1e-9, btol=1e-9, conlim=0, maxiter=_LSMR_PASSES))
    return {
        "pass_cpu_s": round(cpu, 2), "sparse_matrix": list(matrix.shape), "lsmr_cpu_s": round(lsmr_cpu, 2),
        "lsmr_passes": int(found[2]), "lsmr_left_mas": round(apart(found[0] * scale), 4),
        "ratio_to_lsmr": round(cpu / lsmr_cpu, 4),
    }  # fmt: skip


def _sparse(obs, state, options, weight, ref_weight, ref_offset, ridge):
    """Weighted sparse matrix and right side of the pass with stars as unknowns, and the model's part unweighted."""
    n, terms = obs.x.size, basis.n_terms(options.order)
    offset, turn, plate, lever = state.offset, state.turn, state.plate, state.geometry.lever / ccdterms.LEVER_PIX
    turned = lever[:, :1] * plate[:, :, 1] - lever[:, 1:] * plate[:, :, 0]
    columns = np.concatenate([plate, turned[:, :, None]], axis=2)
    n_model, n_star = ridge.size, obs.stars.size
    design = basis.matrix(options.order, state.x, state.y)
    row = np.repeat(np.arange(2 * n).reshape(n, 2, 1), 2 * terms + 3, axis=2)
    column = np.concatenate([
        obs.visit[:, None] * 2 * terms + np.arange(2 * terms),
        obs.visits.size * 2 * terms + 3 * obs.ccd[:, None] + np.arange(3),
    ], axis=1)  # fmt: skip
    column = np.repeat(column[:, None, :], 2, axis=1)
    entry = np.concatenate([turn[:, :, :1] * design[:, None, :], turn[:, :, 1:] * design[:, None, :], columns], axis=2)
    model = coo_matrix((entry.ravel(), (row.ravel(), column.ravel())), (2 * n, n_model)).tocsr()
    k = np.arange(n)
    at = np.concatenate([2 * k, 2 * k + 1]), np.concatenate([2 * obs.star, 2 * obs.star + 1])
    stars = coo_matrix((-np.ones(2 * n), at), (2 * n, 2 * n_star)).tocsr()

    # a star without weight would make an empty column; it stays where it is
    is_held = (ref_weight[:, 0] > 0) | (np.bincount(obs.star, weight[:, 0], n_star) > 0)
    ref_weight = np.where(is_held[:, None], ref_weight, [1.0, 0.0, 1.0])
    half, ref_half = _roots(weight), _roots(ref_weight)
    matrix = block_array([
        [half @ model, half @ stars],
        [None, ref_half],
        [diags(np.sqrt(ridge)), None],
    ]).tocsr()  # fmt: skip
    right = np.concatenate([-(half @ offset.ravel()), ref_half @ ref_offset.ravel(), np.zeros(n_model)])
    return matrix, right, model


def _roots(weight):
    """Block-diagonal square roots of (n, 3) inverse covariances."""
    n = len(weight)
    a = np.sqrt(weight[:, 0])
    b = np.divide(weight[:, 1], a, out=np.zeros(n), where=a > 0)
    c = np.sqrt(np.maximum(weight[:, 2] - b**2, 0.0))
    k = 2 * np.arange(n)
    return coo_matrix(
        (np.concatenate([a, b, c]), (np.concatenate([k, k, k + 1]), np.concatenate([k, k + 1, k + 1]))), (2 * n, 2 * n)
    ).tocsr()


def quality(world, a, solution, scale):
    """Reserved detections' rms [mas, mmag], and that of the WCS against the truth over the field [mas]."""
    obs = a["obs"]
    n = obs.stars.size
    rms = [judge.rms(solution.residual[:, i], obs.star, obs.is_reserved, n)[0] for i in range(2)]
    mag = judge.rms(scale.residual, obs.star, obs.is_reserved, n)[0]
    wcs = []
    for e, visit in enumerate(obs.visits):
        for c, number in enumerate(obs.ccds):
            chip = world.camera.ccds[int(number)]
            x, y = np.meshgrid(np.linspace(0, chip.width - 1, 3), np.linspace(0, chip.height - 1, 5))
            seen = frames.sight(a["where"], chip, solution.ccd_terms[c], solution.order, x.ravel(), y.ravel())
            ra, dec = (
                sky.reshape(x.shape) for sky in frames.to_sky(seen, solution.crval[e], solution.coefficients[e])
            )
            wcs.append(sphere.separation(ra, dec, *world.to_sky(int(visit), int(number), x, y)) * 3.6e6)
    return float(np.hypot(*rms) / np.sqrt(2)), float(1000 * mag), float(np.sqrt(np.mean(np.array(wcs) ** 2) / 2))


def main() -> None:
    """Build, warm up, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visits", type=int, default=12)
    parser.add_argument("--ccds", type=int, default=96)
    parser.add_argument("--stars", type=float, default=130.0, help="per CCD")
    parser.add_argument("--json", action="store_true")
    words = parser.parse_args()
    science = sorted((c for c in load("hsc").ccds.values() if c.is_science), key=lambda c: np.hypot(c.u_pix, c.v_pix))
    noise, mag_noise = 0.03, 0.005
    warm = arrays(build("hsc", [49, 50], n_visit=2, per_ccd=40))
    fluxes(warm, positions(warm))
    small = arrays(build("hsc", [41, 49, 50, 57, 58], n_visit=3, per_ccd=40, dither=0.8))
    one_pass(small)
    world = build("hsc", sorted(c.ccd for c in science[: words.ccds]), n_visit=words.visits, per_ccd=words.stars,
                  noise_pix=noise, mag_noise=mag_noise, dither=1.5, seed=3)  # fmt: skip
    a = arrays(world)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    solution, cpu, wall = clock(positions, a)
    scale, flux_cpu, flux_wall = clock(fluxes, a, solution)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    reserved, reserved_mag, field = quality(world, a, solution, scale)
    peers = one_pass(a)
    peers["dense_difference_mas"] = one_pass(small, is_dense=True)
    result = {
        "python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__,
        "detections": int(a["obs"].x.size), "stars": int(a["obs"].stars.size), "unknowns": solution.n_parameter,
        "astrometry_cpu_s": round(cpu, 2), "astrometry_wall_s": round(wall, 2), "passes": solution.n_iteration,
        "photometry_cpu_s": round(flux_cpu, 2), "photometry_wall_s": round(flux_wall, 2),
        "photometry_passes": scale.n_iteration, "memory_before_mb": round(before), "memory_peak_mb": round(peak),
        **peers,
        "reserved_rms_mas": round(reserved, 3), "injected_mas": round(noise * 168, 3),
        "reserved_rms_mmag": round(reserved_mag, 3), "injected_mmag": 1000 * mag_noise,
        "wcs_error_mas": round(field, 3),
        "chi2_per_dof": [round(s.chi2 / s.dof, 3) for s in (solution, scale)],
    }  # fmt: skip
    if words.json:
        print(json.dumps(result))
    else:
        for name, entry in result.items():
            print(f"{name:20} {entry}")


if __name__ == "__main__":
    main()
