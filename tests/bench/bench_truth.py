"""How near mosaic comes to the truth of a made survey, and how honest its errors are.

    python tests/bench/bench_truth.py [--visits 12] [--ccds 20] [--stars 130] [--turbulence 8] [--seeds 3] [--json]

HSC with 3 % of illumination error (a field of degree 3 over the focal plane), CCDs 1 % off in scale and 0.6 pix off
their places, visits with warps, zero points and gradients of their own, and air that moves stars by 8 mas per axis as
`hscdb simulate` has it, anew in each visit. What is printed:

floors   : what reserved stars scatter by beyond the noise that was put in [mas, mmag]
pattern  : rms over field and visits of the flux scale's error, each visit's mean taken off [mmag]
bright   : scatter of reserved stars over the noise that was put in (1 = nothing else is left): both axes, magnitudes
pulls    : rms of (found - true) / given error of stars' positions and magnitudes, zero points, CCD turns and offsets;
           zero points of a survey share what references leave open: their pulls are one number, not twelve
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))
from joint_world import build, star_rows

from hscdb.camera import focalplane
from hscdb.camera.load import load
from hscdb.mosaic import basis, ccdterms, flux, frames, gather, judge, solve, spread
from hscdb.mosaic.places import Options
from hscdb.simulate.setup import Setup
from hscdb.simulate.turbulence import displacement
from hscdb.sky import sphere

_MAG_NOISE = 0.004


def blow(world, mas, seed):
    """Move every detection by its visit's turbulence; the pixels and the first calibrations see it."""
    d, camera = world.detections, world.camera
    setup = Setup(turbulence_mas=mas, seed=seed)
    for visit, ccd in world.frames:
        k, chip = (d["visit"] == visit) & (d["ccd"] == ccd), camera.ccds[ccd]
        u, v = focalplane.pixel_to_focal(chip, d["x"][k], d["y"][k])
        moved = displacement(setup, visit, *focalplane.focal_to_field(camera, u, v))
        d["x"][k], d["y"][k] = focalplane.focal_to_pixel(
            chip, u + moved[0] / camera.pixel_scale_arcsec, v + moved[1] / camera.pixel_scale_arcsec
        )
        d["ra"][k], d["dec"][k] = world.wcs[visit, ccd].pixel_to_sky(d["x"][k], d["y"][k])


def given(world):
    """What the stage would have read, references with magnitudes."""
    seen, found, positions = star_rows(world)
    obs = gather.observations(seen, found, False)
    star = obs.stars - 1
    rng = np.random.default_rng(5)
    mag = np.where(world.has_ref[star], world.mag[star] + rng.normal(0, world.ref_mag_err, star.size), np.nan)
    refs = gather.references(obs.stars, positions, mag, np.where(world.has_ref[star], world.ref_mag_err, np.nan))
    return solve.Given(obs, refs, found, gather.zero_points(seen, found)), positions


def reserved(result, obs, noise_mas, mag_noise):
    """Scatter of reserved stars, two axes [mas], and of their magnitudes [mmag], and the floors beyond the noise."""
    n = obs.stars.size
    axes = [judge.rms(result.position.residual[:, i], obs.star, obs.is_reserved, n)[0] for i in range(2)]
    place = float(np.hypot(*axes) / np.sqrt(2))
    mag = 1000 * judge.rms(result.scale.residual, obs.star, obs.is_reserved, n)[0]
    floors = [float(np.sqrt(max(a**2 - b**2, 0.0))) for a, b in ((place, noise_mas), (mag, 1000 * mag_noise))]
    return axes, mag, floors


def pattern(world, result, obs):
    """(n_frame, n_point) error of the flux scale [mmag] on a grid of every frame, the visit's mean taken off."""
    errors = {}
    for e, visit in enumerate(obs.visits):
        rows = []
        for c, ccd in enumerate(obs.ccds):
            chip = world.camera.ccds[int(ccd)]
            x, y = (
                a.ravel() for a in np.meshgrid(np.linspace(0, chip.width - 1, 4), np.linspace(0, chip.height - 1, 6))
            )
            one = frames.flux_polynomial(result.where, result.scale, e, chip)
            power = basis.square(one.order, one.poly_mag)
            p = np.polynomial.polynomial.polyval2d(x + one.x0, y + one.y0, power) + result.scale.ccd[c]
            # the truth has the true pixel area in it
            true = world.scale_mag(int(visit), int(ccd), x, y)
            true = true + 2.5 * np.log10(world.jacobian(int(visit), int(ccd), x, y))
            rows.append(1000 * (p + result.scale.zero[e] - true))
        errors[e] = np.array(rows) - np.mean(rows)
    return np.concatenate(list(errors.values()))


def pulls(world, result, obs):
    """rms of (found - true) / error."""
    position, scale = result.position, result.scale
    star = obs.stars - 1
    fitted = ~world.is_reserved[star] & np.isfinite(position.star_covariance[:, 0])
    ra, dec = sphere.from_vector(position.star)  # stars stand still here
    off = np.stack(sphere.project(ra, dec, world.star_ra[star], world.star_dec[star]), axis=1) * 3.6e6
    axes = off / np.sqrt(position.star_covariance[:, [0, 2]])
    chips = [world.camera.ccds[int(c)] for c in obs.ccds]
    units = ccdterms.units(3)
    off_terms = (position.ccd_terms - np.array([world.ccd_terms[int(c)] for c in obs.ccds])) * units
    off_terms = spread.relative(off_terms, np.array([[c.u_pix, c.v_pix] for c in chips]), np.ones(len(chips), bool))
    terms = off_terms / units / position.ccd_terms_err
    bare = fitted & ~world.has_ref[star]  # the others' errors have a floor for what may be wrong with references
    # offsets are about their mean, weighted by detections
    n = np.bincount(obs.ccd[scale.is_used], minlength=obs.ccds.size)
    true = np.array([world.ccd_mag[int(c)] for c in obs.ccds])
    mean = float((n * true).sum() / n.sum())
    offset = scale.ccd - true + mean
    zero = scale.zero - np.array([world.visits[int(v)].zero for v in obs.visits]) - mean
    mag = (scale.star - world.mag[star]) / scale.star_err

    def rms(x):
        x = x[np.isfinite(x)]
        return round(float(np.sqrt(np.mean(x**2))), 3)

    return {
        "star_position": rms(axes[bare]), "star_magnitude": rms(mag[fitted]),
        "zero_point": rms(zero / scale.zero_err), "ccd_offset": rms(offset / scale.ccd_err),
        "ccd_shift": rms(terms[:, :2]), "ccd_turn": rms(terms[:, 2]),
    }  # fmt: skip


def main() -> None:
    """Build, solve, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visits", type=int, default=12)
    parser.add_argument("--ccds", type=int, default=20)
    parser.add_argument("--stars", type=float, default=130.0, help="per CCD")
    parser.add_argument("--turbulence", type=float, default=8.0, help="mas per axis")
    parser.add_argument("--noise", type=float, default=0.02, help="pix per axis")
    parser.add_argument("--seeds", type=int, default=3, help="surveys whose pulls are averaged")
    parser.add_argument("--json", action="store_true")
    words = parser.parse_args()
    answers = [figures(words, seed) for seed in range(1, words.seeds + 1)]
    answer = answers[0]
    answer["pulls"] = {
        name: round(float(np.sqrt(np.mean([one["pulls"][name] ** 2 for one in answers]))), 3)
        for name in answer["pulls"]
    }
    for name in ("floors_mas_mmag", "pattern_mmag", "bright_over_noise"):
        answer[name] = np.round(np.mean([one[name] for one in answers], axis=0), 3).tolist()
    print(json.dumps(answer) if words.json else json.dumps(answer, indent=1))


def figures(words, seed):
    """Build, solve, compare one survey."""
    science = sorted((c for c in load("hsc").ccds.values() if c.is_science), key=lambda c: np.hypot(c.u_pix, c.v_pix))
    world = build("hsc", sorted(c.ccd for c in science[: words.ccds]), n_visit=words.visits, per_ccd=words.stars,
                  noise_pix=words.noise, mag_noise=_MAG_NOISE, dither=1.5, seed=seed, step_days=7.0, shift_pix=0.6,
                  field_mag=0.03, ccd_mag=0.01, pm_mas=0.0)  # fmt: skip
    world.ref_mag_err = 0.01
    if words.turbulence > 0:
        blow(world, words.turbulence, seed)
    facts, _ = given(world)
    obs = facts.obs
    cpu = time.process_time()
    result = solve.solve(world.camera, facts, solve.Settings(None, Options(), flux.Options(), True))
    cpu = time.process_time() - cpu
    noise_mas = words.noise * 1000 * world.camera.pixel_scale_arcsec
    axes, mag, floors = reserved(result, obs, noise_mas, _MAG_NOISE)
    return {
        "detections": int(obs.x.size), "stars": int(obs.stars.size), "cpu_s": round(cpu, 1),
        "order": result.position.notes["order"], "turbulence": result.position.notes["turbulence"],
        "floors_mas_mmag": floors,
        "before_mas_mmag": [round(result.verdict.position_before, 2), round(1000 * result.verdict.mag_before, 2)],
        "pattern_mmag": float(np.sqrt(np.mean(pattern(world, result, obs) ** 2))),
        "bright_over_noise": [*(a / noise_mas for a in axes), mag / (1000 * _MAG_NOISE)],
        "pulls": pulls(world, result, obs),
        "chi2_per_dof": [round(s.chi2 / s.dof, 3) for s in (result.position, result.scale)],
    }  # fmt: skip


if __name__ == "__main__":
    main()
