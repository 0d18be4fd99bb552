"""What an aperture loses in frames of worse seeing than their visit's."""

from dataclasses import replace

import numpy as np
import pytest

from hscdb.mosaic import flux, prepare
from tests.pure.mosaic_world import World, build

LOSS = 0.04  # mag for a seeing e times as large


@pytest.fixture(scope="module")
def world() -> World:
    """A world whose frames lose by their seeing, which scatters by 10 % within a visit."""
    return build(n_star=2000, seed=31, ref_fraction=0.5)


def seeing(world: World) -> np.ndarray:
    out = np.random.default_rng(5).normal(0.0, 0.1, (world.obs.visits.size, world.obs.ccds.size))
    return out - out.mean(axis=1, keepdims=True)


def test_the_loss_comes_out_and_is_in_the_scale_of_each_frame(world: World) -> None:
    obs, worse = world.obs, seeing(world)
    lossy = obs.mag + LOSS * worse[obs.visit, obs.ccd]
    solved = [
        flux.fit(obs, world.refs, world.geometry, mag, world.zero, flux.Options(growth_prior_mag=prior), worse)
        for mag, prior in ((obs.mag, 0.0), (lossy, 0.0), (lossy, 0.1))
    ]
    assert solved[2].notes["growth_mag_per_ln_seeing"] == pytest.approx(-LOSS, abs=0.004)
    assert solved[0].growth is None
    rms = [np.sqrt(np.mean(one.residual[obs.is_reserved] ** 2)) for one in solved]
    assert rms[1] > 1.1 * rms[0]
    assert rms[2] < 1.02 * rms[0]
    # the scale of a frame of bad seeing makes up for what its aperture has lost
    change = np.array([[solved[2].scale(e, c)[0] - solved[0].scale(e, c)[0] for c in range(16)] for e in range(5)])
    np.testing.assert_allclose(change, -LOSS * worse, atol=0.0025)


def test_seeing_is_that_of_the_frames_about_their_visits(world: World) -> None:
    frames = np.rec.fromarrays(
        [np.array([0, 0, 1, 1]), np.array([3, 4, 3, 5]), np.array([0.6, 0.9, np.nan, 0.7])],
        names="visit,ccd,seeing_arcsec",
    )  # fmt: skip
    found = prepare.seeing(frames, world.obs)
    assert found is not None
    assert found[0, 4] == pytest.approx(0.5 * np.log(1.5))
    assert found[0, 3] == pytest.approx(-found[0, 4])
    assert found[1].tolist() == [0.0] * 16
    frames["seeing_arcsec"] = np.nan
    assert prepare.seeing(frames, world.obs) is None
    assert prepare.seeing(frames[["visit", "ccd"]], world.obs) is None


def test_without_seeing_nothing_is_asked(world: World) -> None:
    options = flux.Options(growth_prior_mag=0.1)
    found = flux.fit(world.obs, world.refs, world.geometry, world.obs.mag, world.zero, options)
    assert "growth_mag_per_ln_seeing" not in found.notes
    assert replace(found, growth=None).scale(0, 0) == found.scale(0, 0)
