"""mosaic's queries beside what numpy makes of the same world."""

from dataclasses import replace

import numpy as np
import pytest
from joint_tables import bare, bulk, load, source_ids, star_ids, task
from joint_world import FILTER, NJY, REF_MJD, build
from sqlalchemy import text

from hscdb.db import copy, partition
from hscdb.db.queries import query
from hscdb.mosaic import gather

read_frames = query("mosaic/read_frames")
read_ref_catalogs = query("mosaic/read_ref_catalogs")
read_ref_positions = query("mosaic/read_ref_positions")
read_ref_fluxes = query("mosaic/read_ref_fluxes")

_observations = query("mosaic/read_observations")

KEY = {"tract": 0, "filter": FILTER}
PLACES = [(150.0, 2.0), (0.0, 0.0), (359.9999, -45.0), (40.0, 89.99)]


def read_observations(connection, flux="", **key):
    """The observations with the flux of the first calibration, or another one, the stage's way (by COPY) and called."""
    frames = gather.tasks(read_frames(connection, **key))
    found = gather.by_star(copy.read(connection, _observations, flux=flux, **key, **frames))
    called = gather.by_star(_observations(connection, flux=flux, **key, **frames))
    assert all(np.array_equal(found[name], called[name], equal_nan=True) for name in found.dtype.names)
    return found


def small(**options):
    """A world of few stars."""
    return build(**({"n_visit": 3, "per_ccd": 8, "seed": 2} | options))


def catalog_id(connection, name):
    return connection.execute(text("SELECT ref_catalog_id FROM ref_catalog WHERE name = :n"), {"n": name}).scalar_one()


def wanted(world):
    """The observations of a world: (star_id, visit, source_id) -> numbers, by star, visit and source."""
    d, ids = world.detections, source_ids(world)
    k = np.flatnonzero(np.isin(d["star"], star_ids(world)) & (ids % 2**32 > 0))
    k = k[np.lexsort([ids[k], d["visit"][k], d["star"][k]])]
    return d[k], ids[k]


def compare(found, world):
    d, ids = wanted(world)
    assert np.array_equal(found["source_id"], ids)
    for ours, theirs in (("star_id", d["star"] + 1), ("visit", d["visit"]), ("ccd", d["ccd"])):
        assert np.array_equal(found[ours], theirs)
    assert np.array_equal(found["is_reserved"], world.is_reserved[d["star"]])
    for ours, theirs in (("x_pix", d["x"]), ("y_pix", d["y"]), ("ra", d["ra"]), ("dec", d["dec"])):
        assert np.array_equal(found[ours], theirs)
    single = np.float32  # columns of four bytes
    assert np.array_equal(found["x_pix_err"], d["err"].astype(single), equal_nan=True)
    assert np.array_equal(found["x_y_pix2_cov"], (0.2 * d["err"] ** 2).astype(single), equal_nan=True)
    njy = NJY / d["first_mag0"]
    assert np.array_equal(found["flux_njy"], (d["flux"] * njy).astype(single), equal_nan=True)
    assert np.array_equal(found["flux_njy_err"], (d["flux_err"] * njy).astype(single), equal_nan=True)


@pytest.mark.parametrize(("ra", "dec"), PLACES)
def test_observations_are_the_members_of_the_stars(connection, ra, dec):
    world = small(ra=ra, dec=dec)
    world.detections["err"][::3] = np.nan
    world.detections["flux"][::4] = np.nan
    world.extra["ambiguous"] = [int(star_ids(world)[0])]
    run_id = bare(connection, world)
    load(connection, world, run_id)
    found = read_observations(connection, run_id=run_id, **KEY)
    assert len(found) > 30
    compare(found, world)
    assert np.array_equal(found["is_ambiguous"], found["star_id"] == star_ids(world)[0] + 1)


def test_observations_of_catalogs_come_with_their_calibration(connection):
    world = small()
    world.is_catalog = True
    run_id = bare(connection, world)
    load(connection, world, run_id)
    compare(read_observations(connection, run_id=run_id, **KEY), world)


@pytest.mark.parametrize("change", ["no detection", "one ccd", "one visit"])
def test_observations_of_little(connection, change):
    world = small(ref_fraction=1.0)
    keep = {"no detection": world.detections["star"] < 0, "one ccd": world.detections["ccd"] == 2,
            "one visit": world.detections["visit"] == 1002}[change]  # fmt: skip
    world.detections = world.detections[keep]
    run_id = bare(connection, world)
    if change == "no detection":
        world.has_ref[:] = False
        world.detections = small().detections[:1]
    load(connection, world, run_id)
    found = read_observations(connection, run_id=run_id, **KEY)
    compare(found, world)
    assert (len(found) == 0) == (change == "no detection")


def test_nothing_of_another_tract_filter_or_run_is_seen(connection):
    world = small()
    run_id = bare(connection, world)
    load(connection, world, run_id)
    for more in ({"tract": 1}, {"filter": "HSC-G"}):
        assert len(read_observations(connection, run_id=run_id, **KEY | more)) == 0
        assert len(read_frames(connection, run_id=run_id, **KEY | more)) == 0
        assert len(read_ref_catalogs(connection, run_id=run_id, **KEY | more)) == 0
    assert len(read_observations(connection, run_id=run_id + 1, **KEY)) == 0


def test_another_flux_of_the_sources_can_be_taken(connection):
    world = small()
    world.mag0[1002, 1] = np.nan
    run_id = bare(connection, world)
    load(connection, world, run_id)
    found = read_observations(connection, flux="psf", run_id=run_id, **KEY)
    d, ids = wanted(world)
    assert np.array_equal(found["source_id"], ids)
    njy = np.array([NJY / world.mag0[int(row["visit"]), int(row["ccd"])] for row in d])
    assert np.isnan(njy).any()
    np.testing.assert_allclose(found["flux_njy"], 0.97 * d["flux"] * njy, rtol=1e-7)
    np.testing.assert_allclose(found["flux_njy_err"], 0.9 * d["flux_err"] * njy, rtol=1e-7)
    assert np.isnan(read_observations(connection, flux="kron", run_id=run_id, **KEY)["flux_njy"]).all()


def moved(world, arcsec):
    """The same detections found elsewhere: what a second calibration makes of them."""
    again = replace(world, detections=world.detections.copy())
    again.detections["dec"] += arcsec / 3600
    again.detections["x"] += 0.25
    return again


def test_a_run_that_builds_on_another_sees_its_rows_until_it_has_its_own(connection):
    world = small()
    parent = bare(connection, world)
    load(connection, world, parent)
    child = bare(connection, world, name="child", parent=parent)
    compare(read_observations(connection, run_id=child, **KEY), world)
    again = moved(world, 1.0)
    load(connection, again, child, is_first=False)
    compare(read_observations(connection, run_id=child, **KEY), again)
    compare(read_observations(connection, run_id=parent, **KEY), world)


def test_a_frame_calibrated_anew_in_a_child_has_its_new_places_and_its_old_pixels(connection):
    world = small()
    parent = bare(connection, world)
    load(connection, world, parent)
    child = bare(connection, world, name="child", parent=parent)
    visit, ccd = world.frames[0]
    new = task(connection, child, "calibrate", visit=visit, ccd=ccd)
    connection.execute(
        text("INSERT INTO wcs_solution SELECT (jsonb_populate_record(w, jsonb_build_object('run_id', :r, 'task_id', :t)"
             ")).* FROM wcs_solution AS w WHERE w.visit = :v AND w.ccd = :c"),
        {"r": child, "t": new, "v": visit, "c": ccd},
    )  # fmt: skip
    partition.ensure(connection, child, [visit])
    d, ids = world.detections, source_ids(world)
    k = (d["visit"] == visit) & (d["ccd"] == ccd)
    njy = NJY / d["first_mag0"][k]
    bulk(connection, "source_sky", run_id=child, task_id=new, visit=visit, ccd=ccd, source_id=ids[k], ra=d["ra"][k],
         dec=d["dec"][k] + 0.001, flux_njy=2 * d["flux"][k] * njy, flux_njy_err=d["flux_err"][k] * njy)  # fmt: skip
    again = replace(world, detections=d.copy())
    again.detections["dec"][k] += 0.001
    again.detections["flux"][k] *= 2
    compare(read_observations(connection, run_id=child, **KEY), again)
    # a calibration that has not come to its end hides nothing
    connection.execute(text("UPDATE task SET status = 'running' WHERE task_id = :t"), {"t": new})
    compare(read_observations(connection, run_id=child, **KEY), world)


def test_frames_are_those_with_a_first_calibration(connection):
    world = small()
    world.mag0[1002, 1] = np.nan
    run_id = bare(connection, world)
    load(connection, world, run_id)
    connection.execute(
        text(
            "UPDATE task SET status = 'failed', reason = 'few_stars' "
            "WHERE stage = 'calibrate' AND visit = 1004 AND ccd = 3"
        )
    )
    connection.execute(text("UPDATE frame_tract SET is_corner_inside = false WHERE ccd = 2"))
    connection.execute(text("UPDATE visit SET obs_mjd = NULL, ra = NULL WHERE visit = 1000"))
    seen = connection.execute(
        text(
            "INSERT INTO frame_quality (run_id, task_id, visit, ccd, seeing_arcsec, psf_model, psf_order, n_psf_star, "
            "n_psf_star_reserved, n_cosmic_ray, n_source, n_negative) SELECT run_id, task_id, visit, ccd, "
            "0.5 + 0.01 * ccd, 'pixel', 0, 1, 0, 0, 1, 0 FROM task WHERE stage = 'detect' AND visit = 1002"
        )
    ).rowcount
    assert seen == len(world.ccds)
    found = read_frames(connection, run_id=run_id, **KEY)
    keys = [(int(v), int(c)) for v, c in found[["visit", "ccd"]].tolist()]
    assert keys == [f for f in sorted(world.frames) if f != (1004, 3)]
    for row, key in zip(found, keys, strict=True):
        one, wcs = world.visits[key[0]], world.wcs[key]
        is_bare = key[0] == 1000
        assert np.isnan(row["obs_mjd"]) == is_bare == np.isnan(row["visit_ra"])
        assert is_bare or (row["obs_mjd"], row["visit_ra"]) == (one.mjd, one.ra)
        assert (row["visit_dec"], row["ra"], row["dec"], row["pointing"]) == (one.dec, *wcs.crval, 77)
        assert row["is_corner_inside"] == (key[1] != 2)
        chip = world.camera.ccds[key[1]]
        np.testing.assert_array_equal([row["corner_ra"], row["corner_dec"]], wcs.corners(chip.width, chip.height))
        np.testing.assert_equal(row["flux_mag0_e"], world.mag0[key])
        np.testing.assert_equal(row["seeing_arcsec"], 0.5 + 0.01 * key[1] if key[0] == 1002 else np.nan)


def test_the_best_catalog_for_positions_comes_first(connection):
    world = small(ref_fraction=1.0)
    run_id = bare(connection, world)
    load(connection, world, run_id)
    n = len(star_ids(world))
    found = read_ref_catalogs(connection, run_id=run_id, **KEY)
    assert found[["name", "n_star"]].tolist() == [("gaia_dr3", n), ("ps1_pv3", n)]
    # also where it has fewer stars, and without Gaia the richest
    gaia = {"g": catalog_id(connection, "gaia_dr3")}
    connection.execute(text("DELETE FROM star_ref WHERE ref_catalog_id = :g AND star_id % 2 = 0"), gaia)
    assert read_ref_catalogs(connection, run_id=run_id, **KEY)["name"].tolist() == ["gaia_dr3", "ps1_pv3"]
    connection.execute(text("UPDATE ref_catalog SET preset = NULL"))
    assert read_ref_catalogs(connection, run_id=run_id, **KEY)["name"].tolist() == ["ps1_pv3", "gaia_dr3"]


@pytest.mark.parametrize(("ra", "dec"), PLACES)
def test_reference_positions_are_those_of_match_with_the_catalogs_errors(connection, ra, dec):
    world = small(ra=ra, dec=dec)
    run_id = bare(connection, world)
    load(connection, world, run_id)
    connection.execute(text("UPDATE ref_star SET pm_ra_mas_yr = NULL, ra_mas_err = NULL WHERE ref_id % 3 = 0"))
    k = star_ids(world)
    k = k[world.has_ref[k]]
    mjd = np.mean([one.mjd for one in world.visits.values()])
    for name, is_gaia in (("gaia_dr3", True), ("ps1_pv3", False)):
        catalog = catalog_id(connection, name)
        found = read_ref_positions(connection, run_id=run_id, ref_catalog_id=catalog, **KEY)
        assert np.array_equal(found["star_id"], k + 1)
        stored = connection.execute(
            text("SELECT r.star_id, r.ra, r.dec FROM star_ref r WHERE r.ref_catalog_id = :c ORDER BY 1"), {"c": catalog}
        ).all()
        assert [tuple(row) for row in found[["star_id", "ra", "dec"]].tolist()] == [tuple(row) for row in stored]
        third = (k + 5) % 3 == 0
        assert (found["epoch_mjd"] == mjd).all()
        assert np.array_equal(np.isnan(found["catalog_epoch_mjd"]), np.full(len(k), not is_gaia))
        assert np.array_equal(np.isnan(found["ra_mas_err"]), third)
        assert np.array_equal(np.isnan(found["pm_ra_mas_yr"]), third | (not is_gaia))
        if is_gaia:
            assert (found["catalog_epoch_mjd"] == REF_MJD).all()
            assert np.array_equal(found["pm_dec_mas_yr"], world.pm[k, 1].astype(np.float32))


def test_reference_fluxes_come_in_two_bands_where_they_are_known(connection):
    world = small(ref_fraction=0.8)
    run_id = bare(connection, world)
    load(connection, world, run_id)
    connection.execute(text("DELETE FROM ref_flux WHERE band = 'i' AND ref_id % 3 = 0"))
    connection.execute(text("DELETE FROM ref_flux WHERE band = 'r' AND ref_id % 5 = 0"))
    connection.execute(text("UPDATE ref_flux SET flux_njy_err = NULL WHERE ref_id % 7 = 0"))
    ps1, bands = catalog_id(connection, "ps1_pv3"), {"primary_band": "r", "secondary_band": "i"}
    found = read_ref_fluxes(connection, run_id=run_id, ref_catalog_id=ps1, **bands, **KEY)
    k = star_ids(world)
    k = k[world.has_ref[k]]
    k = k[(k + 5) % 5 != 0]
    assert np.array_equal(found["star_id"], k + 1)
    stored = {(row.ref_id, row.band): row for row in connection.execute(text("SELECT * FROM ref_flux"))}
    for row, star in zip(found, k, strict=True):
        primary, secondary = stored[star + 5, "r"], stored.get((star + 5, "i"))
        assert row["primary_njy"] == primary.flux_njy
        assert np.isnan(row["secondary_njy"]) == (secondary is None) == ((star + 5) % 3 == 0)
        assert np.isnan(row["primary_njy_err"]) == (primary.flux_njy_err is None)
        assert secondary is None or row["secondary_njy"] == secondary.flux_njy
    # Gaia has none of these bands
    gaia = catalog_id(connection, "gaia_dr3")
    assert len(read_ref_fluxes(connection, run_id=run_id, ref_catalog_id=gaia, **bands, **KEY)) == 0
