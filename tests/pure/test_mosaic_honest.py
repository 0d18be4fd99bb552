"""Errors of fluxes are honest over many made skies: what is told, over what is true, is 1."""

from dataclasses import replace

import mosaic_world
import numpy as np
import pytest

from hscdb.mosaic import basis, flux

N_WORLD = 60  # pulls of what is one number per sky are good to 1 / sqrt(120) = 9 %
ORDER, VISIT_ORDER = 4, 2


def drawn(seed: int):
    """A sky whose fields, offsets and first zero points are draws of their priors, and what they are."""
    world = mosaic_world.build(seed=seed, n_star=800, field_mag=0.0, first_mas=1.0)
    rng, obs = np.random.default_rng(seed), world.obs
    u, v = (a / world.geometry.flux_scale_pix for a in (world.geometry.u, world.geometry.v))
    common = rng.normal(0.0, 0.03 / np.sqrt(basis.degrees(ORDER)[1:]))
    own = rng.normal(0.0, 0.01, (obs.visits.size, basis.n_terms(VISIT_ORDER) - 1))
    none = np.zeros(1)

    def fields(visit, x, y):
        return basis.matrix(ORDER, x, y)[:, 1:] @ common + np.einsum(
            "ij,ij->i", basis.matrix(VISIT_ORDER, x, y)[:, 1:], own[visit]
        )

    center = np.array([fields(np.array([e]), none, none)[0] for e in range(obs.visits.size)])
    mag = obs.mag - fields(obs.visit, u, v) + center[obs.visit]
    first = world.zero + rng.normal(0.0, 0.02, world.zero.size)
    return replace(world, obs=replace(obs, mag=mag)), first, fields, center


def pulls(seed: int, options: flux.Options) -> dict[str, np.ndarray]:
    """(found - true) / error of one sky."""
    world, first, fields, center = drawn(seed)
    obs = world.obs
    found = flux.fit(obs, world.refs, world.geometry, obs.mag, first, options)
    n = np.bincount(obs.ccd[found.is_used], minlength=16)
    mean = (n * world.ccd_mag).sum() / n.sum()  # offsets are about their mean, by detections
    k, scale = found.is_used, world.geometry.flux_scale_pix
    e, u, v = obs.visit[k], world.geometry.u[k] / scale, world.geometry.v[k] / scale
    off = np.einsum("ij,ij->i", basis.matrix(found.order, u, v), found.coefficients[e]) - fields(e, u, v) + center[e]
    off = 1000.0 * (off - (np.bincount(e, off) / np.bincount(e))[e])
    known = np.isfinite(world.refs.mag)
    star = (found.star - world.star_mag) / found.star_err
    zero, ccd = found.zero - world.zero - mean, found.ccd - world.ccd_mag + mean
    return {
        "zero": zero / found.zero_err, "ccd": ccd / found.ccd_err, "star": star[~known], "star_known": star[known],
        "field": off / found.notes["field_err_mmag"],
    }  # fmt: skip


def rms(parts: list[np.ndarray]) -> float:
    every = np.concatenate([np.ravel(one) for one in parts])
    return float(np.sqrt(np.mean(every[np.isfinite(every)] ** 2)))


@pytest.mark.parametrize("is_relative", [False, True], ids=["absolute", "relative"])
def test_zero_points_offsets_fields_and_stars_have_honest_errors(is_relative: bool) -> None:
    """References have 20 mmag of noise, as told; the floor beside it is left out."""
    options = flux.Options(order=ORDER, visit_order=VISIT_ORDER, is_relative=is_relative, ref_floor_mag=1e-4)
    found = [pulls(500 + i, options) for i in range(N_WORLD)]
    told = {name: rms([one[name] for one in found]) for name in found[0]}
    assert 0.85 < told["zero"] < 1.15  # 0.9 to 1.1, and what 60 skies can tell
    assert 0.95 < told["ccd"] < 1.05
    assert 0.9 < told["star"] < 1.1
    assert 0.9 < told["star_known"] < 1.1
    assert 0.9 < told["field"] < 1.1
