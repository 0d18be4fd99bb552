"""qa's queries beside plain loops over the same rows: the seam, a pole, NULLs, lonely stars, nothing at all."""

from types import SimpleNamespace

import numpy as np
import pytest
from joint_tables import bare, bulk, load, source_ids, star_ids, task
from joint_world import FILTER, NJY, build
from sqlalchemy import text

from hscdb.db.queries import query
from hscdb.sky import sphere

PLACES = [(150.0, 2.0), (0.0, 0.0), (359.9999, -45.0), (40.0, 89.9)]
MAS = 3.6e6
KINDS = ("before", "after")
SAMPLES = {"all": (True, False), "reserved": (True,), "fitted": (False,)}


def read(name, connection, **params):
    """The rows of a qa query."""
    return query(f"qa/{name}")(connection, **params)


def solved(connection, world, *, n_null=0, seed=1):
    """A joint solution of random numbers for every member of the world's stars; residual rows and star rows."""
    rng = np.random.default_rng(seed)
    run_id = bare(connection, world)
    load(connection, world, run_id)
    done = task(connection, run_id, "mosaic", tract=0, filter=FILTER)
    d, ids, stars = world.detections, source_ids(world), star_ids(world)
    k = np.flatnonzero(np.isin(d["star"], stars))
    k = k[np.argsort(ids[k])]
    n = k.size
    r = SimpleNamespace(star=d["star"][k] + 1, visit=d["visit"][k], ccd=d["ccd"][k], id=ids[k],
                        reserved=world.is_reserved[d["star"][k]], first_ra=d["ra"][k], first_dec=d["dec"][k],
                        flux=(d["flux"] * NJY / d["first_mag0"])[k].astype(np.float32))  # fmt: skip
    for kind, size in (("before", 50.0), ("after", 5.0)):
        lost = {"mag": rng.permutation(n)[:n_null]} | dict.fromkeys(("ra", "dec"), rng.permutation(n)[:n_null])
        for axis in ("ra", "dec", "mag"):
            column = rng.normal(0, size, n)
            column[rng.random(n) < 0.05] *= 20
            column[lost[axis]] = np.nan
            setattr(r, f"{axis}_{kind}", column.astype(np.float32).astype(float))
    r.mag_err = rng.uniform(0.001, 0.02, n).astype(np.float32)
    r.mag_err[rng.permutation(n)[:n_null]] = np.nan
    r.err = rng.uniform(1, 4, n).astype(np.float32)
    r.reason = rng.choice(np.array([None, "outlier", "ambiguous"], object), n, p=[0.85, 0.1, 0.05])
    r.ra, r.dec = sphere.deproject(*rng.normal(0, 5 / MAS, (2, n)), r.first_ra, r.first_dec)
    bulk(connection, "star_residual", run_id=run_id, task_id=done, star_id=r.star, visit=r.visit, ccd=r.ccd,
         source_id=r.id, u_pix=1.0 * r.ccd, v_pix=2.0, ra=r.ra, dec=r.dec, mag=20.0, mag_err=r.mag_err,
         position_mas_err=r.err, ra_before_mas=r.ra_before, dec_before_mas=r.dec_before, mag_before_mmag=r.mag_before,
         ra_after_mas=r.ra_after, dec_after_mas=r.dec_after, mag_after_mmag=r.mag_after,
         is_used_astrometry=np.array([x is None for x in r.reason]), is_used_photometry=True,
         reason_astrometry=r.reason, reason_photometry=r.reason, is_reserved=r.reserved)  # fmt: skip
    s = SimpleNamespace(id=stars + 1, reserved=world.is_reserved[stars], mag=rng.uniform(18, 20, stars.size))
    s.ra, s.dec = sphere.deproject(
        *rng.normal(0, 20 / MAS, (2, stars.size)), world.star_ra[stars], world.star_dec[stars]
    )
    s.ra[: n_null // 4] = s.dec[: n_null // 4] = np.nan
    s.ref_mag = np.where(world.has_ref[stars], s.mag + rng.normal(0, 0.01, stars.size), np.nan)
    bulk(connection, "star_solution", run_id=run_id, task_id=done, star_id=s.id, ra=s.ra, dec=s.dec, mag=s.mag,
         mag_err=0.01, ref_mag=s.ref_mag, ref_mag_err=0.01, n_obs=np.bincount(r.star, minlength=s.id.max() + 1)[s.id],
         is_reserved=s.reserved)  # fmt: skip
    return run_id, done, r, s


def scatter_twin(r, snr, kind, sample, visit, ccd):
    """rms of each axis, its number, and the errors."""
    free = np.array([x != "ambiguous" for x in r.reason])
    here = free & np.isin(r.reserved, SAMPLES[sample]) & (1000.0 * r.mag_err.astype(float) < 1085.7 / snr)
    here &= (r.visit == visit) | (visit < 0)
    here &= (r.ccd == ccd) | (ccd < 0)
    if not here.any():
        return None
    out = []
    for axis in ("ra", "dec", "mag"):
        column = getattr(r, f"{axis}_{kind}")
        full = []
        for k in np.flatnonzero(here & np.isfinite(column)):
            mine = column[free & (r.star == r.star[k]) & np.isfinite(column)]
            if mine.size >= 2:
                full.append((column[k] - mine.mean()) * np.sqrt(mine.size / (mine.size - 1)))
        full = np.array(full)
        kept = full[np.abs(full) <= 5 * 1.4826 * np.median(np.abs(full))] if full.size else full
        out += [np.sqrt(np.mean(kept**2)) if full.size else np.nan, full.size]
    return [
        *out,
        np.sqrt(np.mean(r.err[here].astype(float) ** 2)),
        1000 * np.sqrt(np.mean(r.mag_err[here].astype(float) ** 2)),
    ]


@pytest.mark.parametrize("n_null", [0, 12])
def test_scatter_of_all_of_each_visit_and_of_each_ccd(connection, n_null):
    world = build(n_visit=3, per_ccd=14, seed=3)
    _, done, r, _ = solved(connection, world, n_null=n_null)
    found = read("read_scatter", connection, mosaic_task_id=done, snr_min=100.0)
    at = {(str(f["variant"]), str(f["sample"]), int(f["visit"]), int(f["ccd"])): f for f in found}
    assert len(at) == len(found)
    groups = [(-1, -1), *((int(v), -1) for v in world.visits), *((-1, c) for c in world.ccds)]
    n_group = 0
    for kind in KINDS:
        for sample in SAMPLES:
            for group in groups:
                wanted = scatter_twin(r, 100.0, kind, sample, *group)
                row = at.pop((kind, sample, *group), None)
                assert (row is None) == (wanted is None)
                if row is not None:
                    n_group += 1
                    names = (
                        "rms_ra_mas",
                        "n_position",
                        "rms_dec_mas",
                        None,
                        "rms_mmag",
                        "n_mag",
                        "error_mas",
                        "error_mmag",
                    )
                    for name, number in zip(names, wanted, strict=True):
                        if name is not None:
                            np.testing.assert_allclose(
                                row[name], number, rtol=1e-6, err_msg=f"{name} {kind} {sample} {group}"
                            )
    assert not at
    assert n_group > 40


def test_a_bad_visit_does_not_hide_behind_the_good_ones(connection):
    world = build(n_visit=4, per_ccd=20, seed=3)
    _, done, r, _ = solved(connection, world)
    connection.execute(text("UPDATE star_residual SET ra_after_mas = 30 * ra_after_mas WHERE visit = 1004"))
    r.ra_after[r.visit == 1004] *= 30
    found = read("read_scatter", connection, mosaic_task_id=done, snr_min=100.0)
    mine = found[(found["variant"] == "after") & (found["sample"] == "all") & (found["ccd"] == -1)]
    rms = dict(zip(mine["visit"].tolist(), mine["rms_ra_mas"].tolist(), strict=True))
    assert rms[1004] > 2 * rms[1000]
    assert rms[1004] == pytest.approx(scatter_twin(r, 100.0, "after", "all", 1004, -1)[0], rel=1e-6)


def far(values):
    """Where values are 5 sigma (of the quartiles) or more from their median; not where there is none."""
    low, middle, high = np.nanpercentile(values, (25, 50, 75))
    return np.abs(values - middle) >= 5 * 0.7413 * (high - low)


@pytest.mark.parametrize(("ra", "dec"), PLACES)
def test_stars_against_references(connection, ra, dec):
    world = build(n_visit=3, per_ccd=20, seed=3, ra=ra, dec=dec, ref_fraction=0.7)
    run_id, done, r, s = solved(connection, world, n_null=8)
    gaia = connection.execute(text("SELECT ref_catalog_id FROM ref_catalog WHERE preset = 'gaia'")).scalar_one()
    key = {"run_id": run_id, "tract": 0, "filter": FILTER}
    found = read("read_external", connection, mosaic_task_id=done, ref_catalog_id=gaia, **key)
    refs = {
        f.star_id: f for f in connection.execute(text("SELECT * FROM star_ref WHERE ref_catalog_id = :g"), {"g": gaia})
    }
    rows = []
    for k, star in enumerate(s.id):
        mine = r.star == star
        if star not in refs or not np.isfinite(s.ra[k]) or not mine.any():
            continue
        ref = refs[star]
        after = [float(x) * MAS for x in sphere.project(s.ra[k], s.dec[k], ref.ra, ref.dec)]
        before = [np.mean(x) * MAS for x in sphere.project(r.first_ra[mine], r.first_dec[mine], ref.ra, ref.dec)]
        flux = r.flux[mine].astype(float)
        first = np.mean(2.5 * np.log10(3631e9 / flux[flux > 0]))
        rows.append((s.reserved[k], *after, 1000 * (s.mag[k] - s.ref_mag[k]), *before, 1000 * (first - s.ref_mag[k])))
    rows = np.array(rows, float)
    assert len(found) == 6
    for f in found:
        mine = rows[np.isin(rows[:, 0], SAMPLES[f["sample"]])]
        is_after = f["variant"] == "after"
        for k, (name, unit) in enumerate((("ra", "mas"), ("dec", "mas"), ("", "mmag"))):
            column, other = (mine[:, 1 + k], mine[:, 4 + k]) if is_after else (mine[:, 4 + k], mine[:, 1 + k])
            kept = column[~far(column) & ~far(other)]
            kept = kept[np.isfinite(kept)]
            column = column[np.isfinite(column)]
            middle = np.median(column)
            label = f"{name}_{unit}" if name else unit
            assert f["n_mag" if unit == "mmag" else "n_position"] == column.size
            # the flat sky of the query: 0.3 arcsec at 0.1 deg from a pole bend by 0.002 mas
            assert f[f"median_{label}"] == pytest.approx(middle, abs=0.02)
            assert f[f"rms_{label}"] == pytest.approx(np.sqrt(np.mean((kept - middle) ** 2)), rel=2e-3, abs=0.02)


@pytest.mark.parametrize("n_null", [0, 12])
def test_repeatability(connection, n_null):
    world = build(n_visit=5, per_ccd=14, seed=3)
    _, done, r, _ = solved(connection, world, n_null=n_null)
    found = read("read_repeatability", connection, mosaic_task_id=done, snr_min=80.0)
    assert [(f["variant"], f["sample"]) for f in found] == [(k, s) for k in sorted(KINDS) for s in sorted(SAMPLES)]
    for f in found:
        column = getattr(r, f"mag_{f['variant']}")
        good = np.array([x != "ambiguous" for x in r.reason]) & np.isfinite(column)
        good &= np.isin(r.reserved, SAMPLES[f["sample"]]) & (r.mag_err.astype(float) < 1.0857 / 80.0)
        groups = [column[good & (r.star == star)] for star in np.unique(r.star[good])]
        groups = [g for g in groups if g.size >= 3]
        off = np.concatenate([np.abs(g - g.mean()) for g in groups])
        assert (f["n_star"], f["n_obs"]) == (len(groups), off.size)
        assert f["pa1_mmag"] == pytest.approx(np.median([np.std(g, ddof=1) for g in groups]), rel=1e-9)
        assert f["pf1_percent"] == pytest.approx(100 * np.mean(off > 15), abs=1e-9)
        assert f["pa2_mmag"] == pytest.approx(np.percentile(off, 90), rel=1e-9)


@pytest.mark.parametrize(("ra", "dec"), PLACES)
def test_places_of_bright_stars_by_both_calibrations(connection, ra, dec):
    world = build(n_visit=3, per_ccd=14, seed=3, ra=ra, dec=dec)
    run_id, done, r, _ = solved(connection, world, n_null=8)
    good = (r.mag_err.astype(float) < 1.0857 / 100) & np.array([x is None for x in r.reason])
    count = np.bincount(r.star[good], minlength=r.star.max() + 1)
    k = np.flatnonzero(good & (count[r.star] >= 2))
    k = k[np.lexsort([r.id[k], r.visit[k], r.star[k]])]
    asked = {"run_id": run_id, "mosaic_task_id": done, "snr_min": 100.0}
    found = read("read_places", connection, n_star_max=10_000, **asked)
    for name, column in (("star_id", r.star), ("visit", r.visit), ("ra_before", r.first_ra),
                         ("dec_before", r.first_dec),
                         ("ra_after", r.ra), ("dec_after", r.dec)):  # fmt: skip
        assert np.array_equal(found[name], column[k])
    few = read("read_places", connection, n_star_max=5, **asked)
    assert np.unique(few["star_id"]).size == 5
    assert len(few) == np.isin(found["star_id"], few["star_id"]).sum()


def test_residuals_and_stars_as_the_pictures_need_them(connection):
    world = build(n_visit=3, per_ccd=10, seed=3)
    _, done, r, s = solved(connection, world, n_null=6)
    found = read("read_residuals", connection, mosaic_task_id=done)
    order = np.lexsort([r.id, r.ccd, r.visit])
    for name, column in (
        ("star_id", r.star),
        ("visit", r.visit),
        ("ccd", r.ccd),
        ("ra", r.ra),
        ("is_reserved", r.reserved),
    ):
        assert np.array_equal(found[name], column[order])
    assert np.array_equal(found["ra_after_mas"], r.ra_after[order], equal_nan=True)
    assert np.array_equal(found["n_seen"], np.bincount(r.star)[r.star][order])
    np.testing.assert_allclose(found["snr"], 1.0857 / r.mag_err[order].astype(float), rtol=1e-6)
    of_star = {i: m for i, m in zip(s.id, s.ref_mag, strict=True)}
    np.testing.assert_array_equal(found["ref_mag"], [of_star[i] for i in r.star[order]])
    stars = read("read_stars", connection, mosaic_task_id=done)
    assert np.array_equal(stars["star_id"], s.id)
    of_stars = [r.mag_after[(r.star == i) & np.isfinite(r.mag_after)] for i in s.id]
    rms = [np.sqrt(np.mean(one**2)) / 1000 if one.size else np.nan for one in of_stars]
    np.testing.assert_allclose(stars["rms_mag"], rms, rtol=1e-9)


def test_catalogs_and_solutions_are_found_through_the_chain(connection):
    world = build(n_visit=2, per_ccd=10, seed=3, ref_fraction=1.0)
    run_id, done, _, _ = solved(connection, world)
    child = bare(connection, world, name="child", parent=run_id)
    names = [connection.execute(text("SELECT ref_catalog_id FROM ref_catalog WHERE preset = :p"), {"p": p}).scalar_one()
             for p in ("gaia", "ps1")]  # fmt: skip
    for one in (run_id, child):
        found = read("read_ref_catalogs", connection, run_id=one, tract=0, filter=FILTER)
        assert found["ref_catalog_id"].tolist() == names
    assert len(read("find_solution", connection, run_id=child, tract=0, filter=FILTER)) == 0
    connection.execute(
        text(
            "INSERT INTO mosaic_solution VALUES (:r, :k, 0, :f, true, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, "
            "3.5, 0.002, '{}')"
        ),
        {"r": run_id, "k": done, "f": FILTER},
    )
    (found,) = read("find_solution", connection, run_id=child, tract=0, filter=FILTER)
    assert found.tolist() == (done, True, 3.5, 0.002)
    assert len(read("find_solution", connection, run_id=child, tract=0, filter="HSC-G")) == 0


@pytest.mark.parametrize("name", ["read_scatter", "read_repeatability", "read_residuals", "read_stars", "read_places"])
def test_of_nothing_comes_nothing(connection, name):
    world = build(n_visit=2, per_ccd=5, seed=3)
    run_id = bare(connection, world)
    more = {"snr_min": 100.0} if name in ("read_scatter", "read_repeatability", "read_places") else {}
    more |= {"run_id": run_id, "n_star_max": 5} if name == "read_places" else {}
    assert len(read(name, connection, mosaic_task_id=-1, **more)) == 0


def test_a_star_seen_once_has_no_scatter(connection):
    world = build(n_visit=1, per_ccd=10, seed=3, ref_fraction=1.0)
    _, done, _, _ = solved(connection, world)
    found = read("read_scatter", connection, mosaic_task_id=done, snr_min=10.0)
    assert len(found) > 0
    assert (found["n_position"] == 0).all()
    assert np.isnan(found["rms_ra_mas"]).all()
    assert len(read("read_repeatability", connection, mosaic_task_id=done, snr_min=10.0)) == 0
