"""What must not matter does not: names, order, where on the sky, a bad visit, wrong matches."""

from dataclasses import replace

import numpy as np
import pytest
from mosaic_world import ARCSEC, World, build

from hscdb.mosaic import astrometry
from hscdb.mosaic.model import References
from hscdb.mosaic.places import MAS, Options, tangent, vectors

PIX_MAS = 1000.0 * ARCSEC


def solve(world: World) -> astrometry.Astrometry:
    return astrometry.fit(
        world.obs, world.refs, world.geometry, world.crval, world.mjd, world.rotation, Options(order=3), False
    )


def places(world: World, solution: astrometry.Astrometry) -> np.ndarray:
    """(n_obs, 3) directions of the detections by the solution."""
    s = solution.star[world.obs.star]
    _, east, north = tangent(np.degrees(np.stack([np.arctan2(s[:, 1], s[:, 0]), np.arcsin(s[:, 2])], axis=1)))
    return s + (solution.residual[:, :1] * east + solution.residual[:, 1:] * north) / MAS


def apart_pix(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.linalg.norm(one - other, axis=1).max() * MAS / PIX_MAS)


@pytest.fixture(scope="module")
def world() -> World:
    one = build(seed=21, n_star=1200, outliers=0.01)
    # longer along one axis of the CCDs: an angle at which the two are mixed up would show
    return replace(one, obs=replace(one.obs, covariance=one.obs.covariance[:, :1] * np.array([1.6, 0.2, 0.6])))


@pytest.fixture(scope="module")
def solution(world: World) -> astrometry.Astrometry:
    return solve(world)


def reordered(world: World, stars, visits, ccds) -> tuple[World, np.ndarray]:
    """The world with things in another order (old index by new), and the observations' old indices."""
    star, visit, ccd = (np.argsort(p)[old] for p, old in
                        ((stars, world.obs.star), (visits, world.obs.visit), (ccds, world.obs.ccd)))  # fmt: skip
    k = np.argsort(star, kind="stable")[::-1]  # a star's detections in another order, too
    k = k[np.argsort(star[k], kind="stable")]
    names = ("x", "y", "covariance", "ra", "dec", "mag", "mag_err", "is_reserved", "reason")
    obs = replace(
        world.obs, stars=world.obs.stars[stars], visits=world.obs.visits[visits], ccds=world.obs.ccds[ccds],
        star=star[k], visit=visit[k], ccd=ccd[k], **{name: getattr(world.obs, name)[k] for name in names},
    )  # fmt: skip
    per_obs = ("u", "v", "field_x", "field_y", "jacobian", "lever")
    geometry = replace(world.geometry, **{name: getattr(world.geometry, name)[k] for name in per_obs})
    parts = (getattr(world.refs, name) for name in References.__dataclass_fields__)
    refs = References(*(part if part is None else part[stars] for part in parts))  # colors need not be there
    return replace(
        world, obs=obs, refs=refs, geometry=geometry, crval=world.crval[visits], mjd=world.mjd[visits],
        rotation=world.rotation[ccds],
    ), k  # fmt: skip


def test_the_order_of_stars_visits_and_ccds_changes_nothing(world: World, solution: astrometry.Astrometry) -> None:
    rng = np.random.default_rng(4)
    obs = world.obs
    new, k = reordered(world, *(rng.permutation(n) for n in (obs.stars.size, obs.visits.size, obs.ccds.size)))
    assert apart_pix(places(new, solve(new)), places(world, solution)[k]) < 1e-6


@pytest.mark.parametrize(
    ("ra", "dec", "roll"),
    [(0.0, 0.0, 0.0), (359.99, -30.0, 0.0), (210.0, 89.9, 0.0), (40.0, -89.9, 0.0), (150.0, 2.0, 30.0),
     (150.0, 2.0, 45.0), (150.0, 2.0, 90.0)],
)  # fmt: skip
def test_where_on_the_sky_a_field_lies_and_how_it_is_turned_changes_nothing(
    world: World, solution: astrometry.Astrometry, ra: float, dec: float, roll: float
) -> None:
    """The whole sky is turned: the seam then runs through the field, the pole lies in it, or the camera is rotated."""
    frames = [np.stack([a[0] for a in tangent(np.array([at]))]) for at in ((150.0, 2.0), (ra, dec))]
    c, s = np.cos(np.radians(roll)), np.sin(np.radians(roll))
    turn = frames[1].T @ np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]]) @ frames[0]

    def moved(a, d):
        v = vectors(a, d) @ turn.T
        return np.degrees(np.arctan2(v[:, 1], v[:, 0])) % 360.0, np.degrees(np.arcsin(v[:, 2]))

    new = replace(
        world, crval=np.stack(moved(*world.crval.T), axis=1),
        obs=replace(world.obs, **dict(zip(("ra", "dec"), moved(world.obs.ra, world.obs.dec), strict=True))),
        refs=replace(world.refs, **dict(zip(("ra", "dec"), moved(world.refs.ra, world.refs.dec), strict=True))),
    )  # fmt: skip
    assert (np.ptp(new.obs.ra) > 300.0) == (roll == 0.0)
    found = solve(new)
    assert apart_pix(places(new, found), places(world, solution) @ turn.T) < 1e-6
    # and so are its errors, whatever the angle between pixels and sky
    sums = [one.star_covariance[:, 0] + one.star_covariance[:, 2] for one in (found, solution)]
    np.testing.assert_allclose(*sums, rtol=1e-5)
    np.testing.assert_allclose(found.ccd_terms_err, solution.ccd_terms_err, rtol=1e-5)


def without(world: World, visit: int) -> tuple[World, np.ndarray]:
    """The world without its last visit, and which observations stay."""
    k = world.obs.visit != visit
    names = ("star", "visit", "ccd", "x", "y", "covariance", "ra", "dec", "mag", "mag_err", "is_reserved", "reason")
    obs = replace(world.obs, visits=world.obs.visits[:visit], **{name: getattr(world.obs, name)[k] for name in names})
    per_obs = ("u", "v", "field_x", "field_y", "jacobian", "lever")
    geometry = replace(world.geometry, **{name: getattr(world.geometry, name)[k] for name in per_obs})
    return replace(world, obs=obs, geometry=geometry, crval=world.crval[:visit], mjd=world.mjd[:visit]), k


def spoil(world: World, bad: np.ndarray, off: np.ndarray) -> World:
    """The world with some detections (n_obs,) off by (n_bad, 2) pixels."""
    g, shift = world.geometry, np.zeros((bad.size, 2))
    shift[bad] = off
    u, v, field_x, field_y = (a + shift[:, i % 2] for i, a in enumerate((g.u, g.v, g.field_x, g.field_y)))
    return replace(
        world, obs=replace(world.obs, x=world.obs.x + shift[:, 0], y=world.obs.y + shift[:, 1]),
        geometry=replace(g, u=u, v=v, field_x=field_x, field_y=field_y, lever=g.lever + shift),
    )  # fmt: skip


@pytest.mark.parametrize("fault", ["scatter", "tracking", "focus"])
def test_a_bad_visit_is_named_and_moves_the_others_by_less_than_half_a_mas(fault: str) -> None:
    """Of 100 mas per axis, which its errors know nothing of: scatter, trails along one axis, images that fall apart at
    the edge of the field."""
    world = build(seed=22, n_visit=8, n_star=2500)
    bad = world.obs.visit == 7
    off = np.random.default_rng(2).normal(0, 100.0 / PIX_MAS, (bad.sum(), 2))
    if fault == "tracking":
        off = np.sqrt(2.0) * off * np.array([1.0, 0.0]) @ np.array([[0.8, 0.6], [-0.6, 0.8]])
    if fault == "focus":
        far = np.hypot(world.geometry.u, world.geometry.v)[bad] / 4000.0
        off = off * far[:, None] ** 2
        off *= 100.0 / PIX_MAS / off.std()
    spoiled = spoil(world, bad, off)
    rest, k = without(world, 7)
    with_it, without_it = solve(spoiled), solve(rest)
    moved = (places(spoiled, with_it)[k] - places(rest, without_it)) * MAS
    assert np.sqrt(np.mean(moved**2) * 1.5) < 0.5  # per axis of two
    used = with_it.is_used[k]
    assert np.quantile(np.linalg.norm(moved[used], axis=1), 0.95) < 0.5
    assert set(with_it.notes["bad_visits"]) == {"7"}
    assert solve(world).notes["bad_visits"] == {}


def test_one_wrong_match_of_ten_does_no_harm_and_is_named() -> None:
    """Another star within the radius, up to a second of arc off, at the same magnitude or another."""
    clean = build(seed=23, n_visit=8, n_star=2500)
    rng = np.random.default_rng(3)
    bad = (rng.random(clean.obs.x.size) < 0.1) & ~clean.obs.is_reserved
    angle, far = rng.uniform(0, 2 * np.pi, bad.sum()), rng.uniform(200.0, 1000.0, bad.sum()) / PIX_MAS
    dirty = spoil(clean, bad, np.stack([far * np.cos(angle), far * np.sin(angle)], axis=1))
    found, wanted = solve(dirty), solve(clean)
    moved = np.linalg.norm(places(dirty, found) - places(clean, wanted), axis=1)[~bad] * MAS
    assert np.sqrt(np.mean(moved**2) / 2) < 0.5  # per axis
    # a star of two detections does not tell which of them is wrong
    n = np.bincount(clean.obs.star)[clean.obs.star]
    assert (found.reason[bad & (n > 4)] == "outlier").mean() > 0.98
    assert (found.reason[~bad & (n > 4) & ~clean.obs.is_reserved] == "outlier").mean() < 0.005
    assert found.notes["bad_visits"] == {}


def test_a_ccd_of_three_stars_is_held_and_named() -> None:
    world = build(seed=24)
    k = np.flatnonzero((world.obs.ccd == 5) & ~world.obs.is_reserved)
    reason = world.obs.reason.copy()
    reason[k[3:]] = "ambiguous"
    found = solve(replace(world, obs=replace(world.obs, reason=reason)))
    assert found.notes["ccds_held"] == [5]
    assert (found.ccd_terms[5] == 0.0).all()
    assert found.chi2 / found.dof == pytest.approx(1.0, abs=0.1)
