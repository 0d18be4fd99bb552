"""The views and functions for people, on a made world whose joint solution was applied by the program too."""

from typing import Any

import numpy as np
import pytest
from joint_tables import database, repository, rows, run
from joint_world import build
from sqlalchemy import text

from hscdb.sky import sphere
from hscdb.sky.wcs import Wcs

WORDS = ("apply.do_image=False", "apply.do_catalog=False")


@pytest.fixture(scope="module")
def world(server_dsn: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """(world, repository) after mosaic and apply; the field is not flat, so that F differs everywhere."""
    made = build(n_visit=3, per_ccd=60, field_mag=0.3)
    with (
        database(server_dsn, template, "hscdb_face") as dsn,
        repository(tmp_path_factory.mktemp("face"), dsn, made) as opened,
    ):
        outcome = run(opened, "mosaic", "apply", words=WORDS)
        assert outcome.exit_status == 0, outcome
        yield made, opened


def by_sql(opened: Any) -> tuple[Any, Any]:
    """Rows of apply and of the view, in the same order."""
    # What apply stores as real is read as the number it is, not as its shortest text.
    names = ("flux_factor", "psf_flux_njy", "psf_flux_njy_err", "aper_flux_njy", "aper_flux_njy_err")
    exact = ", ".join(f"CAST({name} AS double precision) AS {name}" for name in names)
    theirs = rows(opened, f"SELECT source_id, ra, dec, {exact} FROM calibrated_source ORDER BY tract, source_id")
    ours = rows(opened, "SELECT * FROM source_calibrated ORDER BY tract, source_id")
    return theirs, ours


def test_the_solution_applied_in_sql_is_that_of_apply(world: Any) -> None:
    theirs, ours = by_sql(world[1])
    assert len(theirs) > 300
    np.testing.assert_array_equal(ours.source_id, theirs.source_id)
    # 1e-6 pix of 0.168 arcsec are 4.7e-11 deg
    assert (sphere.separation(ours.ra, ours.dec, theirs.ra, theirs.dec) * 3600.0).max() < 1e-9
    assert np.ptp(ours.flux_factor) > 0.02
    # apply stores real numbers: 6e-8 of a flux
    np.testing.assert_allclose(ours.flux_factor, theirs.flux_factor, rtol=6e-8)
    for name in ("psf_flux_njy", "psf_flux_njy_err", "aper_flux_njy", "aper_flux_njy_err"):
        np.testing.assert_allclose(ours[name], theirs[name], rtol=2e-7)
    np.testing.assert_allclose(ours.mag, 2.5 * np.log10(3631e9 / ours.aper_flux_njy), atol=1e-9)
    assert set(ours.wcs_stage) == {"mosaic"}


def test_where_a_solution_was_rejected_the_first_calibration_holds(world: Any) -> None:
    _, opened = world
    key = rows(
        opened, "SELECT task_id, visit, ccd FROM wcs_solution WHERE stage = 'mosaic' ORDER BY visit, ccd LIMIT 1"
    )[0]
    first = rows(opened, "SELECT source_id, ra, dec, flux_njy FROM source_sky WHERE visit = %s AND ccd = %s "
                 "ORDER BY source_id", int(key.visit), int(key.ccd))  # fmt: skip
    with opened.engine.connect() as connection:
        for table in ("wcs_solution", "flux_scale"):
            statement = f"UPDATE {table} SET status = 'rejected' WHERE task_id = :t AND visit = :v AND ccd = :c"
            connection.execute(text(statement), {"t": int(key.task_id), "v": int(key.visit), "c": int(key.ccd)})
        found = connection.execute(
            text("SELECT source_id, ra, dec, aper_flux_njy, wcs_stage FROM source_calibrated"
                 " WHERE visit = :v AND ccd = :c ORDER BY source_id"),
            {"v": int(key.visit), "c": int(key.ccd)},
        ).all()  # fmt: skip
        connection.rollback()
    assert {row.wcs_stage for row in found} == {"calibrate"}
    place = np.array([(row.ra, row.dec) for row in found])
    assert (sphere.separation(*place.T, first.ra, first.dec) * 3600.0).max() < 1e-6
    np.testing.assert_allclose([row.aper_flux_njy for row in found], first.flux_njy, rtol=1e-6)


def solutions(opened: Any) -> dict[tuple[int, int], Wcs]:
    found = rows(
        opened, "SELECT *, sip_a::float8[] AS a, sip_b::float8[] AS b FROM wcs_solution WHERE stage = 'mosaic'"
    )
    return {
        (r.visit, r.ccd): Wcs.from_flat((r.crval1_deg, r.crval2_deg), (r.crpix1_pix, r.crpix2_pix),
                                        [r.cd1_1_deg, r.cd1_2_deg, r.cd2_1_deg, r.cd2_2_deg], r.sip_order, r.a, r.b)
        for r in found
    }  # fmt: skip


def test_pixels_and_directions_of_frames_are_those_of_the_arrays(world: Any) -> None:
    _, opened = world
    statement = (
        "SELECT w.visit, w.ccd, x, y, (frame_to_sky(w, x, y)).*, sky_to_frame(w, s.ra, s.dec) AS back"
        "  FROM wcs_solution AS w, generate_series(-50, 600, 130) AS x, generate_series(-50, 600, 130) AS y,"
        "       LATERAL frame_to_sky(w, x, y) AS s WHERE stage = 'mosaic'"
    )
    wcs = solutions(opened)
    with opened.engine.connect() as connection:
        for row in connection.execute(text(statement)):
            ra, dec = wcs[row.visit, row.ccd].pixel_to_sky(row.x, row.y)
            assert sphere.separation(ra, dec, row.ra, row.dec) * 3600.0 < 1e-9
            x, y = (float(word) for word in str(row.back).strip("()").split(","))
            assert abs(x - row.x) < 1e-7
            assert abs(y - row.y) < 1e-7


def test_errors_of_places_go_smoothly_through_the_nodes(world: Any) -> None:
    made, opened = world
    found = rows(
        opened, "SELECT visit, ccd, x, y, CAST(place_mas_err AS float8[]) AS nine, frame_place_err(w, x, y) AS err"
        "  FROM wcs_solution AS w, unnest(ARRAY[-30.0, 0.0, 100.0, 255.5, 400.0, 511.0, 600.0]) AS x,"
        "       unnest(ARRAY[-30.0, 0.0, 33.0, 255.5, 511.0, 600.0]) AS y WHERE stage = 'mosaic'",
    )  # fmt: skip
    assert len(found) > 300
    for row in found:
        chip = made.camera.ccds[row.ccd]
        fx, fy = (np.clip(float(a) / (n - 1), 0, 1) for a, n in ((row.x, chip.width), (row.y, chip.height)))
        log = np.log(np.array(row.nine, float)).reshape(3, 3)
        across = np.polynomial.polynomial.polyfit([0.0, 0.5, 1.0], log.T, 2)  # parabola of each row
        along = np.polynomial.polynomial.polyfit([0.0, 0.5, 1.0], np.polynomial.polynomial.polyval(fx, across), 2)
        assert row.err == pytest.approx(np.exp(np.polynomial.polynomial.polyval(fy, along)), rel=1e-9)
    assert min(min(row.nine) for row in found) > 0.1
    none = rows(opened, "SELECT frame_place_err(w, 10, 10) AS err FROM wcs_solution AS w WHERE stage <> 'mosaic'")
    assert {row.err for row in none} == {None}


@pytest.mark.parametrize("margin", [0.0, 30.0, -30.0])
def test_ccd_search_gives_the_frames_that_cover_a_place(world: Any, margin: float) -> None:
    made, opened = world
    wcs = solutions(opened)
    rng = np.random.default_rng(31)
    centers = rows(opened, "SELECT ra, dec FROM wcs_solution")
    n_found = 0
    with opened.engine.connect() as connection:
        for _ in range(40):
            pick = centers[rng.integers(len(centers))]
            ra, dec = sphere.offset(pick.ra, pick.dec, rng.uniform(0, 360), rng.uniform(0, 0.03))
            wanted = {}
            for (visit, ccd), one in wcs.items():
                chip = made.camera.ccds[ccd]
                x, y = one.sky_to_pixel(ra, dec)
                if -0.5 - margin <= x <= chip.width - 0.5 + margin and -0.5 - margin <= y <= chip.height - 0.5 + margin:
                    wanted[visit, ccd] = (float(x), float(y))
            found = connection.execute(
                text("SELECT visit, ccd, x_pix, y_pix FROM ccd_search(:ra, :dec, :m)"),
                {"ra": float(ra), "dec": float(dec), "m": margin},
            ).all()
            assert [(row.visit, row.ccd) for row in found] == sorted(wanted)
            for row in found:
                np.testing.assert_allclose((row.x_pix, row.y_pix), wanted[row.visit, row.ccd], atol=1e-6)
            n_found += len(found)
        assert connection.execute(text("SELECT count(*) FROM ccd_search(10, -80)")).scalar() == 0
        assert connection.execute(text("SELECT count(*) FROM ccd_search(NULL, 1)")).scalar() == 0
    assert n_found > 30


def many_frames(connection: Any) -> None:
    """Some 2000 frames more, elsewhere, so that it pays to search."""
    made = "SELECT (jsonb_populate_record(t, {1})).* FROM generate_series(1, 500) AS n, {0} AS t WHERE {2}"
    visit = "jsonb_build_object('visit', 10000 + n"
    for table, more, which in (
        ("visit", "", "t.visit = 1000"),
        ("frame", ", 'path', n || t.path", "t.visit = 1000"),
        ("wcs_solution", ", 'ra', 0.7 * n, 'dec', n / 10.0", "t.visit = 1000 AND t.tract IS NULL"),
    ):
        connection.exec_driver_sql(("INSERT INTO {0} " + made).format(table, f"{visit}{more})", which))
        connection.exec_driver_sql(f"ANALYZE {table}")


def test_frames_are_matched_with_a_list_by_the_sky_index(world: Any) -> None:
    """What the archives of the HSC family cannot do: there a cone on images reads all of them, or finds nothing."""
    _, opened = world
    frames = rows(opened, "SELECT visit, ccd, ra, dec FROM frame_info WHERE ra IS NOT NULL ORDER BY visit, ccd")
    places = ", ".join(f"({i}, {float(frames[i].ra)!r} + 0.001, {float(frames[i].dec)!r})" for i in (0, 4, 7))
    with opened.engine.connect() as connection:
        connection.exec_driver_sql("CREATE TEMP TABLE list (id integer, ra float8, dec float8)")
        connection.exec_driver_sql(f"INSERT INTO list VALUES {places}")
        connection.exec_driver_sql("ANALYZE list")
        many_frames(connection)
        wanted = {
            (i, int(f.visit), int(f.ccd))
            for i in (0, 4, 7)
            for f in frames
            if 3600.0 * sphere.separation(frames[i].ra + 0.001, frames[i].dec, f.ra, f.dec) <= 20.0
        }
        assert len(frames) > len({pair[1:] for pair in wanted}) >= 3
        for view, call in (("hsc_frame", "b.coord"), ("frame_info", "b.ra, b.dec")):
            join = f"list AS a JOIN {view} AS b ON coneSearch({call}, a.ra, a.dec, 20)"
            search = f"SELECT a.id, b.visit, b.ccd FROM {join}"
            plan = "\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {search}"))
            assert "wcs_solution_sky" in plan
            assert "(ra >= " in plan or "(ra)::double precision >= " in plan
            assert {tuple(row) for row in connection.exec_driver_sql(search)} == wanted
        connection.rollback()


def test_visit_search_counts_the_frames_of_each_visit(world: Any) -> None:
    _, opened = world
    with opened.engine.connect() as connection:
        row = connection.execute(text("SELECT ra, dec FROM wcs_solution WHERE stage = 'mosaic' LIMIT 1")).one()
        one = connection.execute(
            text("SELECT visit, n_ccd FROM visit_search(:a, :d)"), {"a": row.ra, "d": row.dec}
        ).all()
        each = connection.execute(text("SELECT visit FROM ccd_search(:a, :d)"), {"a": row.ra, "d": row.dec}).all()
    assert sum(found.n_ccd for found in one) == len(each) > 0
    assert [found.visit for found in one] == sorted({found.visit for found in each})


def test_a_light_curve_has_every_detection_in_time(world: Any) -> None:
    _, opened = world
    with opened.engine.connect() as connection:
        star = connection.execute(
            text("SELECT s.* FROM star AS s JOIN star_residual AS r USING (star_id)"
                 " WHERE r.mag IS NOT NULL AND s.n_visit > 2"
                 " ORDER BY s.star_id LIMIT 1")
        ).one()  # fmt: skip
        wanted = connection.execute(
            text("SELECT r.visit, r.ccd, r.source_id, r.mag, r.ra FROM star_residual AS r JOIN visit USING (visit)"
                 " WHERE r.star_id = :s ORDER BY obs_mjd, visit, ccd"),
            {"s": star.star_id},
        ).all()  # fmt: skip
        for call, words in (
            ("lightcurve(CAST(:t AS bigint), CAST(:s AS bigint))", {"t": star.task_id, "s": star.star_id}),
            ("lightcurve(CAST(:a AS float8), CAST(:d AS float8), 0.2)", {"a": star.ra, "d": star.dec}),
            ("lightcurve(CAST(:a AS float8), CAST(:d AS float8), 0.2, 'joint')", {"a": star.ra, "d": star.dec}),
        ):
            found = connection.execute(text(f"SELECT * FROM {call}"), words).all()
            assert [(r.visit, r.ccd, r.source_id, r.mag, r.ra) for r in found] == [tuple(row) for row in wanted]
            assert {row.is_joint for row in found} == {True}
            assert len(found) >= 3
        # Before there is a joint solution: the first calibration.
        connection.execute(text("UPDATE task SET status = 'todo' WHERE stage = 'mosaic'"))
        early = connection.execute(
            text("SELECT * FROM lightcurve(:t, CAST(:s AS bigint))"), {"t": star.task_id, "s": star.star_id}
        ).all()
        first = {row[0]: row[1] for row in connection.execute(text("SELECT source_id, mag FROM source_info"))}
        assert [row.mag for row in early] == [first[row.source_id] for row in early]
        assert {row.is_joint for row in early} == {False}
        connection.rollback()
        assert connection.execute(text("SELECT count(*) FROM lightcurve(10.0, -80.0, 1.0)")).scalar() == 0


def test_the_summary_of_stars_is_that_of_their_detections(world: Any) -> None:
    _, opened = world
    summary = rows(opened, "SELECT * FROM star_summary ORDER BY star_id")
    detections = rows(opened, "SELECT star_id, mag, mag_err, mag_after_mmag, ra_after_mas, is_used_photometry AS used, "
                      "is_used_astrometry AS placed FROM star_residual WHERE mag IS NOT NULL")  # fmt: skip
    assert len(summary) == rows(opened, "SELECT count(*) AS n FROM star").n[0]
    checked = 0
    for one in summary[:60]:
        mine = detections[detections.star_id == one.star_id]
        used = mine[mine.used]
        if len(used) > 1:
            weight = 1.0 / used.mag_err.astype(float) ** 2
            mean = (used.mag * weight).sum() / weight.sum()
            chi2 = ((used.mag - mean) ** 2 * weight).sum() / (len(used) - 1)
            np.testing.assert_allclose(one.chi2_mag, chi2, rtol=1e-6)
            np.testing.assert_allclose(one.rms_mmag, used.mag_after_mmag.astype(float).std(ddof=1), rtol=1e-6)
            np.testing.assert_allclose(
                one.rms_ra_mas, mine[mine.placed].ra_after_mas.astype(float).std(ddof=1), rtol=1e-6
            )
            assert one.n_used == len(used)
            checked += 1
    assert checked > 20


def test_provenance_goes_down_to_the_raw_file(world: Any) -> None:
    made, opened = world
    visit, ccd = made.frames[3]
    with opened.engine.connect() as connection:
        words = {"v": int(visit), "c": int(ccd)}
        run_id = connection.execute(text("SELECT max(run_id) FROM run")).scalar_one()
        steps = connection.execute(
            text("SELECT * FROM provenance(CAST(:r AS bigint), :v, :c, 0)"), {"r": run_id, **words}
        ).all()
        raw = connection.execute(text("SELECT path, sha256 FROM frame WHERE visit = :v AND ccd = :c"), words).one()
        star = connection.execute(
            text("SELECT task_id, star_id FROM star_member WHERE visit = :v AND ccd = :c LIMIT 1"), words
        ).one()
        whole = connection.execute(
            text("SELECT * FROM provenance(:t, CAST(:s AS bigint))"), {"t": star.task_id, "s": star.star_id}
        ).all()
        frames = connection.execute(text("SELECT count(*) FROM star_member WHERE task_id = :t AND star_id = :s"),
                                    {"t": star.task_id, "s": star.star_id}).scalar_one()  # fmt: skip
    stages = list(dict.fromkeys(row.stage for row in steps))
    assert [
        stage for stage in ("apply", "mosaic", "match", "skymap", "calibrate", "detect", "ingest") if stage in stages
    ] == stages
    assert (steps[-1].kind, steps[-1].path, steps[-1].sha256) == ("raw", raw.path, raw.sha256)
    assert sum(row.kind == "raw" for row in whole) == frames
    assert all(row.code_version for row in steps[:-1])


def test_patch_search_agrees_with_the_tract_of_the_arrays(world: Any) -> None:
    _, opened = world
    from hscdb.sky.tract import Layout, Tract

    tract = Tract.around(7, 359.9, 60.0, 0.3, Layout())
    place = sphere.offset(359.9, 60.0, np.arange(0, 360, 20.0), np.linspace(0.01, 0.45, 18))
    with opened.engine.connect() as connection:
        ra, dec = tract.corners()
        connection.execute(text("INSERT INTO skymap VALUES ('mine', 'discrete', 1, 0.168, 4000, 100, 0)"))
        words = {"x": tract.crpix[0], "y": tract.crpix[1], "nx": tract.n_patch_x, "ny": tract.n_patch_y,
                 "w": tract.width, "h": tract.height, "ra": ra.tolist(), "dec": dec.tolist()}  # fmt: skip
        connection.execute(
            text("INSERT INTO tract VALUES ('mine', 7, 359.9, 60.0, 0.3, :x, :y, 0.168, :nx, :ny, :w, :h, :ra, :dec)"),
            words,
        )
        for patch in tract.patches():
            names = patch.dtype.names
            connection.execute(
                text(f"INSERT INTO patch (skymap, tract, {', '.join(names)}, corner_ra, corner_dec)"
                     f" VALUES ('mine', 7, {', '.join(':' + name for name in names)}, '{{0}}', '{{0}}')"),
                {name: int(patch[name]) for name in names},
            )  # fmt: skip
        x, y = tract.wcs.sky_to_pixel(*place)
        for one in range(len(x)):
            at = {"ra": float(place[0][one]), "dec": float(place[1][one])}
            found = connection.execute(text("SELECT * FROM patch_search(:ra, :dec) WHERE skymap = 'mine'"), at).all()
            inside = [
                (int(p["patch_x"]), int(p["patch_y"]))
                for p in tract.patches()
                if p["outer_x0_pix"] - 0.5 <= x[one] < p["outer_x1_pix"] + 0.5
                and p["outer_y0_pix"] - 0.5 <= y[one] < p["outer_y1_pix"] + 0.5
            ]
            assert sorted((row.patch_x, row.patch_y) for row in found) == sorted(inside)
            assert sum(row.is_inner for row in found) == bool(inside)
            np.testing.assert_allclose([row.x_pix for row in found], x[one], atol=1e-6)
            named = connection.execute(
                text(
                    "SELECT patch_s FROM hsc_skymap WHERE skymap = 'mine' AND patch_contains(patch_area,wcs,:ra,:dec)"
                ),
                at,
            ).all()
            assert sorted(row.patch_s for row in named) == sorted(f"{px},{py}" for px, py in inside)
        connection.rollback()


def test_every_example_of_help_runs(world: Any) -> None:
    """And every function that people call has one, and every function says what it does."""
    _, opened = world
    with opened.engine.connect() as connection:
        for row in connection.execute(text("SELECT DISTINCT name, example FROM help()")).all():
            connection.exec_driver_sql(row.example.replace("%", "%%")).all()
        inner = ("sky\\_%", "match\\_%", "in\\_ranges", "is\\_near\\_any", "near\\_integer\\_eq", "selected\\_frame")
        rest = connection.execute(
            text("SELECT name, arguments, meaning, example FROM help('%_') WHERE name NOT LIKE ALL (:inner)"),
            {"inner": list(inner)},
        ).all()
        if connection.execute(text("SELECT count(*) FROM pg_extension WHERE extname = 'q3c'")).scalar() == 0:
            assert [row.name for row in rest if row.example is None] == []
            assert connection.execute(text("SELECT name FROM help('%_') WHERE meaning IS NULL")).all() == []
        known = {row.name for row in rest} | {"sky_to_pixel", "sky_to_frame"}
        examples = {row[0] for row in connection.execute(text("SELECT name FROM sky_examples()"))}
        assert examples - known - {"q3c_version"} == set()


def test_views_for_dashboards_have_plain_types_and_real_times(world: Any) -> None:
    _, opened = world
    plain = {"integer", "bigint", "smallint", "double precision", "text", "boolean", "date", "timestamp with time zone"}
    types = rows(
        opened, "SELECT table_name, column_name, type_name FROM column_doc WHERE table_name LIKE 'bi!_%%' ESCAPE '!'"
    )
    assert {row.type_name for row in types} <= plain
    for view in ("bi_frame", "bi_visit", "bi_night", "bi_task"):
        mine = types[types.table_name == view]
        assert "timestamp with time zone" in set(mine.type_name)
        assert rows(opened, f"SELECT count(*) AS n FROM {view}").n[0] > 0
    frames, visits = (rows(opened, f"SELECT count(*) AS n FROM {table}").n[0] for table in ("frame", "visit"))
    nights = rows(opened, "SELECT n_frame, n_visit FROM bi_night")
    assert (nights.n_frame.sum(), nights.n_visit.sum()) == (frames, visits)


def test_the_names_of_other_archives_give_the_same_rows(world: Any) -> None:
    _, opened = world
    for ours, theirs in (
        ("SELECT star_id, ra FROM star", "SELECT star_id, coord_to_ra(coord) FROM hsc_star"),
        ("SELECT visit, ccd FROM frame_info WHERE data_type = 'science'", "SELECT visit, ccd FROM hsc_frame"),
        (
            "SELECT visit, ccd FROM frame_info WHERE data_type = 'science'",
            "SELECT visitid, detector FROM lsst_visit_detector",
        ),
        ("SELECT source_id, ra FROM source_sky", "SELECT sourceid, ra FROM lsst_source"),
        ("SELECT source_id, ra FROM source_sky", "SELECT source_id, ra FROM source_info"),
        ("SELECT visit, obs_mjd FROM visit", "SELECT visitid, expmidptmjd FROM lsst_visit"),
    ):
        with opened.engine.connect() as connection:
            one, other = (sorted(map(tuple, connection.execute(text(words)))) for words in (ours, theirs))
        assert one == other
        assert len(one) > 0


def test_ids_of_hsc_star_are_taken_apart_like_those_of_hsc_ssp(world: Any) -> None:
    _, opened = world
    with opened.engine.begin() as connection:
        connection.execute(text("UPDATE star SET tract = 9813"))
        found = connection.execute(
            text(
                "SELECT star_id, object_id, tract_from_object_id(object_id) AS tract,"
                " tractSearch(object_id, 9813) AS is_there, tractSearch(object_id, 9814, 9900) AS is_beyond"
                " FROM hsc_star"
            )
        ).all()
        assert {(row.tract, row.is_there, row.is_beyond) for row in found} == {(9813, True, False)}
        assert len({row.object_id for row in found}) == len(found) > 10
        assert all(row.object_id & 0xFFFFFFFF == row.star_id for row in found)
        connection.rollback()


def test_searches_by_sdss_names_are_those_of_brute_force(world: Any) -> None:
    _, opened = world
    stars = rows(opened, "SELECT star_id, ra, dec FROM star ORDER BY star_id")
    with opened.engine.connect() as connection:
        for one in stars[::40]:
            away = 60.0 * sphere.separation(one.ra, one.dec, stars.ra, stars.dec)
            words = {"a": float(one.ra), "d": float(one.dec)}
            a, d = np.radians([words["a"], words["d"]])
            vector = {"x": 3 * np.cos(d) * np.cos(a), "y": 3 * np.cos(d) * np.sin(a), "z": 3 * np.sin(d)}
            words |= {name: float(length) for name, length in vector.items()}  # of any length
            for search in (
                "ObjEq(:a, :d, 0.7)",
                "ObjAllEq(:a, :d, 0.7)",
                "ObjXYZ(:x, :y, :z, 0.7)",
                "ObjAllXYZ(:x, :y, :z, 0.7)",
            ):
                found = connection.execute(text(f"SELECT * FROM fGetNearby{search}"), words).all()
                assert [row.objid for row in found] == stars.star_id[np.argsort(away)][: (away < 0.7).sum()].tolist()
                np.testing.assert_allclose([row.distance for row in found], np.sort(away[away < 0.7]), atol=1e-9)
                np.testing.assert_allclose(
                    [(r.cx, r.cy, r.cz) for r in found], [sphere.unit_vector(r.ra, r.dec) for r in found]
                )
                if "All" not in search:
                    nearest = connection.execute(text(f"SELECT * FROM fGetNearest{search}"), words).all()
                    assert nearest == found[:1]
            for call, wanted in (
                ("IdEq(:a, :d, 0.1)", one.star_id), ("IdAllEq(:a, :d, 0.1)", one.star_id),
                ("IdEqType(:a, :d, 0.1, 6)", one.star_id), ("IdEqType(:a, :d, 0.1, 3)", None),
                ("IdEqMode(:a, :d, 0.1, 1)", one.star_id), ("IdEqMode(:a, :d, 0.1, 2)", None),
            ):  # fmt: skip
                assert connection.execute(text(f"SELECT fGetNearestObj{call}"), words).scalar() == wanted
            for nothing in ("-1", "0", "'NaN'"):
                count = f"SELECT count(*) FROM fGetNearbyObjAllEq(:a, :d, {nothing})"
                assert connection.execute(text(count), words).scalar() == 0
            for name in ("fGetNearbyObjXYZ", "fGetNearbyObjAllXYZ", "fGetNearestObjXYZ"):
                assert connection.execute(text(f"SELECT * FROM {name}(0, 0, 0, 21600)")).all() == []
            assert connection.execute(text("SELECT fDistanceArcMinXYZ(:x, :y, :z, 0, 0, 0)"), words).scalar() is None
            angle = text("SELECT fDistanceArcMinXYZ(:x, :y, :z, 0, 0, 1)")
            assert connection.execute(angle, words).scalar() == pytest.approx(60.0 * (90.0 - words["d"]), rel=1e-13)


def test_a_box_by_sdss_names_is_open_and_goes_eastward(world: Any) -> None:
    _, opened = world
    stars = rows(opened, "SELECT star_id, ra, dec FROM star ORDER BY star_id")
    one, other = stars[3], stars[40]
    (r1, r2), (d1, d2) = sorted((one.ra, other.ra)), sorted((one.dec, other.dec))
    inside = set(stars.star_id[(stars.ra > r1) & (stars.ra < r2) & (stars.dec > d1) & (stars.dec < d2)])
    beside = set(stars.star_id[((stars.ra > r2) | (stars.ra < r1)) & (stars.dec > d1) & (stars.dec < d2)])
    assert inside
    assert beside
    with opened.engine.connect() as connection:
        for ra1, ra2, dec1, dec2, wanted in (
            (r1, r2, d1, d2, inside),
            (r2, r1, d1, d2, beside),
            (r1, r2, d2, d1, set()),
        ):
            words = {"r1": float(ra1), "r2": float(ra2), "d1": float(dec1), "d2": float(dec2)}
            for call in ("fGetObjFromRect(:r1, :r2, :d1, :d2)", "fGetObjFromRectEq(:r1, :d1, :r2, :d2)"):
                assert {row.objid for row in connection.execute(text(f"SELECT * FROM {call}"), words)} == wanted


def test_objects_of_older_matches_have_mode_two(world: Any) -> None:
    _, opened = world
    with opened.engine.connect() as connection:
        one = connection.execute(text("SELECT * FROM star ORDER BY star_id LIMIT 1")).one()
        words = {"a": float(one.ra), "d": float(one.dec), "t": one.task_id}
        connection.execute(
            text(
                "INSERT INTO task (run_id, stage, data_id, tract, filter, status, finished_at)"
                " SELECT run_id, stage, 'again', tract, filter, status, finished_at FROM task WHERE task_id = :t"
            ),
            words,
        )
        ids = connection.execute(
            text("SELECT fGetNearestObjIdEq(:a, :d, 0.1), fGetNearestObjIdAllEq(:a, :d, 0.1)"), words
        ).one()
        assert tuple(ids) == (None, one.star_id)
        assert connection.execute(text("SELECT mode FROM fGetNearestObjAllEq(:a, :d, 0.1)"), words).scalar() == 2
        connection.rollback()


def test_the_nearest_frame_by_sdss_names_is_that_of_any_zoom(world: Any) -> None:
    _, opened = world
    centers = rows(opened, "SELECT visit, ccd, ra, dec FROM wcs_solution WHERE stage = 'mosaic' ORDER BY visit, ccd")
    with opened.engine.connect() as connection:
        for one in centers[::3]:
            words = {"a": float(one.ra) + 0.01, "d": float(one.dec)}
            away = 60.0 * sphere.separation(words["a"], words["d"], centers.ra, centers.dec)
            frames = connection.execute(text("SELECT * FROM fGetNearbyFrameEq(:a, :d, 60, 10)"), words).all()
            wanted = [int(200 * centers.visit[i] + centers.ccd[i]) for i in np.argsort(away) if away[i] < 60.0]
            assert [row.fieldid for row in frames] == wanted
            np.testing.assert_allclose([row.distance for row in frames], np.sort(away[away < 60.0]), atol=1e-9)
            for zoom in ("", ", 0", ", 30"):
                found = connection.execute(text(f"SELECT * FROM fGetNearestFrameEq(:a, :d{zoom})"), words).one()
                assert found.fieldid == wanted[0]
                assert (
                    connection.execute(text(f"SELECT fGetNearestFrameidEq(:a, :d{zoom})"), words).scalar() == wanted[0]
                )
