"""match's reference stars: moved by proper motion, mutually nearest, one to one, at every place of the sky."""

import numpy as np
import pytest
from match_world import fill, insert_refs, match, observations, stars
from sqlalchemy import text

from hscdb.calibrate.reference import propagate
from hscdb.sky import sphere

SKY = [(150.0, 2.0), (0.0, 0.0), (359.99995, 60.0), (10.0, 90.0), (200.0, -89.9999)]


def near(ra, dec, east_arcsec, north_arcsec):
    """Places around a direction."""
    return sphere.deproject(np.asarray(east_arcsec) / 3600, np.asarray(north_arcsec) / 3600, ra, dec)


def linked(connection, task):
    """{(star_id, catalog): row of star_ref}."""
    rows = connection.execute(text("SELECT * FROM star_ref WHERE task_id = :t"), {"t": task}).all()
    return {(row.star_id, row.ref_catalog_id): row for row in rows}


def twice(east, north, ra, dec):
    """Stars at places, each seen in two visits."""
    at = near(ra, dec, np.tile(east, 2), np.tile(north, 2))
    return observations(np.repeat([1, 2], len(east)), *at, x=np.tile(np.arange(len(east)) * 99.0, 2))


@pytest.mark.parametrize(("ra", "dec"), SKY)
def test_references_equal_the_brute_force_twin(connection, ra, dec):
    rng = np.random.default_rng(5)
    n_star, n_ref, size = 150, 160, 30.0
    east, north = rng.uniform(-size, size, (2, n_star))
    mjd = {1: 56000.0, 2: 56400.0}
    world = fill(connection, twice(east, north, ra, dec), mjd=mjd)
    catalogs = {}
    for name in ("gaia", "ps1"):
        at = near(ra, dec, *rng.uniform(-size, size, (2, n_ref)))
        motion = rng.normal(0, 200, (2, n_ref)) * (name == "gaia")
        epoch = 57388.5 if name == "gaia" else np.nan
        catalogs[insert_refs(connection, name, *at, epoch=epoch, pm_ra=motion[0], pm_dec=motion[1])] = at, motion, epoch
    _, task = match(connection, world)
    found = stars(connection, task)
    place = sphere.unit_vector([s.ra for s in found], [s.dec for s in found])
    wanted = {}
    for catalog, ((ref_ra, ref_dec), motion, epoch) in catalogs.items():
        none = np.full(n_ref, np.nan)
        moved = propagate(
            ref_ra,
            ref_dec,
            56200.0,
            epoch_mjd=np.full(n_ref, epoch),
            pm_ra_mas_yr=motion[0],
            pm_dec_mas_yr=motion[1],
            parallax_mas=none,
            mas_err=none,
            pm_mas_yr_err=none,
        )
        apart = np.linalg.norm(place[:, None] - sphere.unit_vector(moved.ra, moved.dec)[None], axis=2)
        for k, star in enumerate(found):
            j = int(apart[k].argmin())
            if apart[:, j].argmin() == k and apart[k, j] <= np.radians(1 / 3600):
                wanted[star.star_id, catalog] = j + 1, apart[k, j], moved.ra[j], moved.dec[j]
    rows = linked(connection, task)
    assert {key: row.ref_id for key, row in rows.items()} == {key: each[0] for key, each in wanted.items()}
    assert len(wanted) > 20
    for key, (_, apart, moved_ra, moved_dec) in wanted.items():
        np.testing.assert_allclose(rows[key].sep_mas, np.degrees(apart) * 3.6e6, rtol=1e-4)
        assert sphere.separation(rows[key].ra, rows[key].dec, moved_ra, moved_dec) * 3.6e6 < 1e-3
        assert 0 <= rows[key].ra < 360


def test_a_fast_star_is_found_where_it_has_gone(connection):
    world = fill(connection, twice([0.0], [0.0], 20.0, 40.0), mjd={1: 57388.5 - 3652.5, 2: 57388.5 - 3652.5})
    # in ten years 3" to the east: at the epoch of the visits it was where the star is; the resting one is a stranger
    catalog = insert_refs(
        connection, "gaia", *near(20.0, 40.0, [3.0, 3.0], [0.0, 0.0]), epoch=57388.5, pm_ra=[300.0, 0.0], pm_dec=0.0
    )
    _, task = match(connection, world)
    rows = linked(connection, task)
    assert rows[1, catalog].ref_id == 1
    assert rows[1, catalog].sep_mas < 1.0
    assert rows[1, catalog].epoch_mjd == 57388.5 - 3652.5


def test_two_stars_do_not_share_a_reference(connection):
    world = fill(connection, twice([0.0, 1.5], [0.0, 0.0], 20.0, 40.0))
    catalog = insert_refs(connection, "gaia", *near(20.0, 40.0, [0.7], [0.0]))
    _, task = match(connection, world)
    (key,) = linked(connection, task)
    assert key[1] == catalog
    nearer = min(stars(connection, task), key=lambda s: sphere.separation(s.ra, s.dec, *near(20.0, 40.0, 0.7, 0.0)))
    assert key[0] == nearer.star_id


def test_a_shadow_of_a_star_does_not_take_its_reference(connection):
    # visit 2 has a second, single detection nearer to the reference than the star
    rows = observations([1, 2, 2], *near(20.0, 40.0, [0.0, 0.0, 0.5], [0.0, 0.0, 0.0]))
    world = fill(connection, rows)
    insert_refs(connection, "gaia", *near(20.0, 40.0, [0.45], [0.0]))
    _, task = match(connection, world)
    (star,) = stars(connection, task)
    assert star.n_visit == 2
    assert len(linked(connection, task)) == 1


def test_without_references_there_are_none(connection):
    world = fill(connection, twice([0.0], [0.0], 20.0, 40.0))
    funnel, task = match(connection, world)
    assert not linked(connection, task)
    assert funnel["n_with_ref"] == 0
