"""The sky searches and Q3C's functions: row sets equal numpy's brute force, and the index is used."""

from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection, text

from hscdb.sky import ipix, sphere

STORIES = {
    "a patch of sky": (150.0, 2.2, 0.5),
    "across RA 0": (0.0, -30.0, 0.5),
    "across RA 0, north": (359.9999, 75.0, 0.5),
    "the north pole": (0.0, 90.0, 0.3),
    "the south pole": (123.0, -89.9, 0.3),
    "the whole sky": (10.0, 10.0, 179.0),
}
RADII = (0.0, -0.1, 1e-5, 2.0 / 3600.0, 8.0 / 3600.0, 20.0 / 3600.0, 0.02, 0.4)


def around(seed: int, ra: float, dec: float, radius: float, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Directions within a radius, one in ten twice, four in ten with one close to them; and the center."""
    rng = np.random.default_rng(seed)
    distance = np.degrees(np.arccos(1.0 - (1.0 - np.cos(np.radians(radius))) * rng.uniform(size=n)))
    found = sphere.offset(ra, dec, rng.uniform(0, 360, n), distance)
    twice, near = slice(0, n // 10), slice(n // 10, n // 2)
    close = sphere.offset(found[0][near], found[1][near], rng.uniform(0, 360, n // 2 - n // 10), radius / 60.0)
    ras = np.concatenate([found[0], found[0][twice], close[0], [sphere.normalize_ra(ra)]])
    return ras, np.concatenate([found[1], found[1][twice], close[1], [dec]])


def fill(connection: Connection, name: str, ra: np.ndarray, dec: np.ndarray) -> None:
    """A table (id, ra, dec) with the sky index."""
    connection.execute(text(f"CREATE TEMP TABLE {name} (id integer, ra double precision, dec double precision)"))
    words = {"i": list(range(len(ra))), "r": ra.tolist(), "d": dec.tolist()}
    arrays = "CAST(:i AS integer[]), CAST(:r AS double precision[]), CAST(:d AS double precision[])"
    connection.execute(text(f"INSERT INTO {name} SELECT * FROM unnest({arrays})"), words)
    connection.execute(text(f"CREATE INDEX ON {name} (sky_zone(dec), ra)"))
    connection.execute(text(f"ANALYZE {name}"))


def pairs(connection: Connection, statement: str, **words: Any) -> list[tuple[int, ...]]:
    return sorted(tuple(row) for row in connection.execute(text(statement), words))


def is_q3c(connection: Connection) -> bool:
    """Whether the q3c_ functions are the extension's own."""
    return bool(connection.execute(text("SELECT count(*) FROM pg_extension WHERE extname = 'q3c'")).scalar())


def plan(connection: Connection, statement: str, **words: Any) -> str:
    return "\n".join(row[0] for row in connection.execute(text("EXPLAIN " + statement), words))


def true_pairs(
    a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray], radius: float
) -> list[tuple[int, int]]:
    close = sphere.separation(a[0][:, None], a[1][:, None], b[0], b[1]) < radius
    return sorted(zip(*(index.tolist() for index in np.nonzero(close)), strict=True))


JOIN = "SELECT a.id, b.id FROM a JOIN b ON {}(a.ra, a.dec, b.ra, b.dec, CAST(:r AS double precision))"
IMAGES = """
SELECT a.id, b.id
  FROM (SELECT *, unnest(sky_images(ra, dec, CAST(:r AS double precision))) AS image_ra FROM a) AS a
  JOIN b ON sky_near(a.image_ra, a.dec, b.ra, b.dec, CAST(:r AS double precision))"""


@pytest.mark.parametrize("story", STORIES)
def test_joins_equal_brute_force_in(connection: Connection, story: str) -> None:
    a, b = around(1, *STORIES[story], 150), around(2, *STORIES[story], 200)
    b = np.concatenate([b[0], a[0][:60]]), np.concatenate([b[1], a[1][:60]])
    fill(connection, "a", *a)
    fill(connection, "b", *b)
    for seqscan in ("on", "off"):
        connection.execute(text(f"SET LOCAL enable_seqscan = {seqscan}"))
        for radius in RADII:
            wanted = true_pairs(a, b, radius)
            for statement in (JOIN.format("q3c_join"), JOIN.format("sky_join"), IMAGES):
                assert pairs(connection, statement, r=radius) == wanted, (radius, statement)
    assert len(true_pairs(a, b, 0.02)) > 60


def test_joins_over_half_the_sky_equal_brute_force(connection: Connection) -> None:
    a, b = around(1, *STORIES["the whole sky"], 6), around(2, *STORIES["the whole sky"], 50)
    fill(connection, "a", *a)
    fill(connection, "b", *b)
    for radius in (20.0, 95.0, 170.0):
        for statement in (JOIN.format("q3c_join"), IMAGES):
            assert pairs(connection, statement, r=radius) == true_pairs(a, b, radius)


@pytest.mark.parametrize("story", STORIES)
def test_cones_equal_brute_force_in(connection: Connection, story: str) -> None:
    ra, dec, size = STORIES[story]
    b = around(3, ra, dec, size, 400)
    fill(connection, "b", *b)
    connection.execute(text("SET LOCAL enable_seqscan = off"))
    statement = "SELECT id FROM b WHERE q3c_radial_query(ra, dec, :ra0, :dec0, CAST(:r AS double precision))"
    # The same place written with RA a turn away is the same place.
    for turn in (0.0, 360.0, -360.0):
        for radius in (*RADII, min(1.1 * size, 178.0)):
            wanted = np.nonzero(sphere.separation(ra, dec, *b) < radius)[0]
            found = [row[0] for row in pairs(connection, statement, ra0=ra + turn, dec0=dec, r=radius)]
            assert found == wanted.tolist()


def test_each_row_may_have_its_own_radius(connection: Connection) -> None:
    a, b = around(4, 359.9, 60.0, 1.0, 100), around(5, 359.9, 60.0, 1.0, 300)
    fill(connection, "a", *a)
    fill(connection, "b", *b)
    found = pairs(connection, "SELECT a.id, b.id FROM a JOIN b ON q3c_join(a.ra, a.dec, b.ra, b.dec, a.id * 0.001)")
    close = sphere.separation(a[0][:, None], a[1][:, None], *b) < np.arange(len(a[0]))[:, None] * 0.001
    assert found == sorted(zip(*(index.tolist() for index in np.nonzero(close)), strict=True))


@pytest.mark.parametrize("statement", [JOIN.format("sky_join"), IMAGES], ids=["sky_join", "sky_images"])
def test_a_join_bounds_zone_and_ra_by_the_index(connection: Connection, statement: str) -> None:
    fill(connection, "a", *around(6, 10.0, 0.0, 20.0, 2000))
    fill(connection, "b", *around(7, 10.0, 0.0, 20.0, 3000))
    shown = plan(connection, statement, r=1.0 / 3600.0)
    conditions = [line for line in shown.splitlines() if "Index Cond" in line]
    assert "b_sky_zone_ra_idx" in shown
    # One scan per arm; each must be bounded in zone and from both sides in RA.
    assert len(conditions) == (2 if statement != IMAGES else 1)
    for condition in conditions:
        assert "= ANY" in condition
        assert "(ra >= " in condition
        assert "(ra <= " in condition


CONSTANT = {
    "cone": "q3c_radial_query(ra, dec, 10.0, 1.0, 0.5)",
    "cone at RA 0": "sky_join(0.1, 1.0, ra, dec, 0.5)",
    "ellipse": "q3c_ellipse_query(ra, dec, 10.0, 1.0, 0.5, 0.3, 20.0)",
    "polygon": "q3c_poly_query(ra, dec, CAST('{10,1,11,1,11,2}' AS double precision[]))",
    "polygon type": "q3c_poly_query(ra, dec, CAST('((10,1),(11,1),(11,2))' AS polygon))",
}


@pytest.mark.parametrize("name", CONSTANT)
def test_a_constant_search_uses_the_index(connection: Connection, name: str) -> None:
    if is_q3c(connection):
        pytest.skip("here Q3C's own functions are installed, which search its own index")
    fill(connection, "b", *around(8, 10.0, 0.0, 20.0, 4000))
    shown = plan(connection, f"SELECT id FROM b WHERE {CONSTANT[name]}")
    assert "b_sky_zone_ra_idx" in shown
    assert "(ra >= " in shown


def test_null_finds_nothing_and_nan_is_no_error(connection: Connection) -> None:
    fill(connection, "b", *around(9, 10.0, 0.0, 1.0, 50))
    connection.execute(text("INSERT INTO b VALUES (-1, NULL, 0), (-2, 10, NULL), (-3, 'NaN', 0), (-4, 10, 'NaN')"))
    words = {"ra": 10.0, "dec": 0.0, "r": 0.5}
    statement = (
        "SELECT id FROM b WHERE sky_join(CAST(:ra AS float8), CAST(:dec AS float8), ra, dec, CAST(:r AS float8))"
    )
    for seqscan in ("on", "off"):
        connection.execute(text(f"SET LOCAL enable_seqscan = {seqscan}"))
        assert min(pairs(connection, statement, **words))[0] >= 0
        for name in words:
            for nothing in (None, float("nan")):
                assert pairs(connection, statement, **(words | {name: nothing})) == []


def test_an_empty_table_gives_nothing(connection: Connection) -> None:
    fill(connection, "a", *around(1, 10.0, 0.0, 1.0, 10))
    fill(connection, "b", np.zeros(0), np.zeros(0))
    assert pairs(connection, JOIN.format("q3c_join"), r=1.0) == []


def test_distances_are_exact_from_micro_arcseconds_to_the_antipode(connection: Connection) -> None:
    rng = np.random.default_rng(10)
    ra, dec = rng.uniform(0, 360, 300), np.degrees(np.arcsin(rng.uniform(-1, 1, 300)))
    for step in (1e-10, 1e-3, 1.0, 90.0, 179.999999):
        ra2, dec2 = sphere.offset(ra, dec, rng.uniform(0, 360, 300), step)
        words = {"a": ra.tolist(), "b": dec.tolist(), "c": ra2.tolist(), "d": dec2.tolist()}
        arrays = ", ".join(f"CAST(:{name} AS double precision[])" for name in words)
        statement = f"SELECT q3c_dist(a, b, c, d), q3c_sindist(a, b, c, d) FROM unnest({arrays}) AS t(a, b, c, d)"
        dist, sindist = np.array(connection.execute(text(statement), words).all()).T
        # Places themselves are rounded to 4e-14 deg.
        # Q3C itself takes what is within 1e-6 deg of the antipode for it.
        is_lost = step > 179.0 and is_q3c(connection)
        np.testing.assert_allclose(dist, step, rtol=1e-12, atol=2e-6 if is_lost else 1e-13)
        np.testing.assert_allclose(sindist, np.sin(np.radians(step / 2.0)) ** 2, rtol=3e-3 if step < 1e-9 else 1e-9)
    published = "SELECT q3c_dist(1, 2, 3, 4), q3c_dist_pm(1, 2, 3, 4, 1, 2000, 1, 0, 2005)"
    np.testing.assert_allclose(connection.execute(text(published)).one(), [2.8264172167, 2.0000055556], atol=1e-10)


MOTION = "a.ra, a.dec, a.pm_ra, a.pm_dec, {flag}, 2000.0"


@pytest.mark.parametrize("flag", [0, 1])
@pytest.mark.parametrize("dec", [0.0, 60.0, 89.5])
def test_a_join_with_motions_equals_brute_force(connection: Connection, dec: float, flag: int) -> None:
    rng = np.random.default_rng(11)
    a = around(12, 359.99, dec, 0.2, 100)
    pm_ra, pm_dec = rng.normal(0, 3000.0, (2, len(a[0])))
    epoch = rng.uniform(1990, 2020, len(a[0]))
    shift = pm_ra * (epoch - 2000.0) / 3.6e6 / (np.cos(np.radians(a[1])) if flag else 1.0)
    later = a[0] + shift, np.clip(a[1] + pm_dec * (epoch - 2000.0) / 3.6e6, -90, 90)
    fill(connection, "a", *a)
    fill(connection, "b", sphere.normalize_ra(later[0]), later[1])
    connection.execute(text("ALTER TABLE a ADD pm_ra double precision, ADD pm_dec double precision"))
    connection.execute(text("ALTER TABLE b ADD epoch double precision"))
    for index in range(len(epoch)):
        words = {"i": index, "x": pm_ra[index], "y": pm_dec[index], "e": epoch[index]}
        connection.execute(text("UPDATE a SET pm_ra = :x, pm_dec = :y WHERE id = :i"), words)
        connection.execute(text("UPDATE b SET epoch = :e WHERE id = :i"), words)
    motion = MOTION.format(flag=flag)
    found = pairs(
        connection, f"SELECT a.id, b.id FROM a JOIN b ON q3c_join_pm({motion}, b.ra, b.dec, b.epoch, 20.0, 0.0005)"
    )
    years = epoch[None, :] - 2000.0
    moved_ra = a[0][:, None] + pm_ra[:, None] * years / 3.6e6 / (np.cos(np.radians(a[1]))[:, None] if flag else 1.0)
    moved_dec = a[1][:, None] + pm_dec[:, None] * years / 3.6e6
    close = sphere.separation(moved_ra, moved_dec, *later) < 0.0005
    assert found == sorted(zip(*(index.tolist() for index in np.nonzero(close)), strict=True))
    assert len(found) >= len(epoch)


def test_joins_with_motions_and_ellipses_use_the_index(connection: Connection) -> None:
    if is_q3c(connection):
        pytest.skip("here Q3C's own functions are installed, which search its own index")
    fill(connection, "a", *around(6, 10.0, 0.0, 20.0, 1000))
    fill(connection, "b", *around(7, 10.0, 0.0, 20.0, 3000))
    connection.execute(text("ALTER TABLE a ADD pm_ra real, ADD pm_dec real, ADD size real DEFAULT 0.001"))
    for condition in (
        f"q3c_join_pm({MOTION.format(flag=1)}, b.ra, b.dec, 2015.5, 20.0, 0.0005)",
        "q3c_ellipse_join(a.ra, a.dec, b.ra, b.dec, a.size, 0.5, 30.0)",
    ):
        shown = plan(connection, f"SELECT a.id, b.id FROM a JOIN b ON {condition}")
        assert shown.count("Index Cond") == 2, condition
        assert shown.count("(ra >= ") == 4  # in both arms, as condition and as recheck


def test_motions_of_null_are_none(connection: Connection) -> None:
    statement = (
        "SELECT q3c_dist_pm(1, 2, NULL, 3.6e6, 1, 2000, 0, 0, 2005), q3c_dist_pm(1, 2, 9, 9, 1, NULL, 0, 0, 2005)"
    )
    np.testing.assert_allclose(connection.execute(text(statement)).one(), 2.2359771471, atol=1e-10)


@pytest.mark.parametrize(("ra0", "dec0"), [(10.0, 0.0), (0.0, 60.0), (120.0, 89.9)])
def test_ellipses_equal_the_tangent_plane(connection: Connection, ra0: float, dec0: float) -> None:
    b = around(13, ra0, dec0, 5.0, 2000)
    fill(connection, "b", *b)
    for semimajor, ratio, pa in [
        (3.0, 0.5, 30.0),
        (4.0, 1.0, 0.0),
        (1.0, 0.05, 100.0),
        (3.0, 1.5, 0.0),
        (-3.0, 0.5, 0.0),
    ]:
        xi, eta = (np.radians(plane) for plane in sphere.project(*b, ra0, dec0))
        along = xi * np.sin(np.radians(pa)) + eta * np.cos(np.radians(pa))
        across = xi * np.cos(np.radians(pa)) - eta * np.sin(np.radians(pa))
        inside = along**2 + (across / ratio) ** 2 < np.tan(np.radians(semimajor)) ** 2
        wanted = np.nonzero(inside)[0].tolist() if ratio <= 1.0 and semimajor > 0.0 else []
        words = {"ra0": ra0, "dec0": dec0, "a": semimajor, "q": ratio, "pa": pa}
        found = pairs(
            connection, "SELECT id FROM b WHERE q3c_ellipse_query(ra, dec, :ra0, :dec0, :a, :q, :pa)", **words
        )
        assert [row[0] for row in found] == wanted


POLYGONS = {
    "square": (10.0, 20.0, [(-1, -1), (1, -1), (1, 1), (-1, 1)]),
    "square, turned the other way, across RA 0": (0.0, -40.0, [(-1, 1), (1, 1), (1, -1), (-1, -1)]),
    "triangle around the pole": (50.0, 89.8, [(-1, -1), (2, -1), (0, 2)]),
    "arrow": (200.0, 5.0, [(0, 0), (1, 1), (0, -1), (-1, 1)]),
    "pentagram": (200.0, 5.0, [(np.cos(k), np.sin(k)) for k in np.radians(90 + 144 * np.arange(5))]),
}


@pytest.mark.parametrize("name", POLYGONS)
def test_polygons_equal_the_even_odd_rule_in_the_plane(connection: Connection, name: str) -> None:
    ra0, dec0, shape = POLYGONS[name]
    x, y = np.array(shape, dtype=float).T
    vertex = np.stack(sphere.deproject(x, y, ra0, dec0), axis=1)
    b = around(14, ra0, dec0, 2.0, 1500)
    fill(connection, "b", *b)
    xi, eta = sphere.project(*b, ra0, dec0)
    inside = np.zeros(len(xi), bool)
    for (x0, y0), (x1, y1) in zip(shape, shape[1:] + shape[:1], strict=True):
        crosses = (y0 > eta) != (y1 > eta)
        with np.errstate(divide="ignore", invalid="ignore"):
            inside ^= crosses & (xi < (x1 - x0) * (eta - y0) / np.float64(y1 - y0) + x0)
    inside[-1] &= (0, 0) not in shape  # the center is a vertex of the arrow, and vertices are outside
    words = {"poly": vertex.ravel().tolist()}
    if is_q3c(connection):  # vertices and edge points fall to either side there
        connection.execute(text("DELETE FROM b WHERE id = :id"), {"id": len(b[0]) - 1})
        inside[-1] = False
    for function in ("q3c_poly_query", "q3c_in_poly"):
        found = pairs(
            connection, f"SELECT id FROM b WHERE {function}(ra, dec, CAST(:poly AS double precision[]))", **words
        )
        assert [row[0] for row in found] == np.nonzero(inside)[0].tolist()
    written = "(" + ",".join(f"({ra!r},{dec!r})" for ra, dec in vertex.tolist()) + ")"
    found = pairs(connection, "SELECT id FROM b WHERE q3c_poly_query(ra, dec, CAST(:poly AS polygon))", poly=written)
    assert [row[0] for row in found] == np.nonzero(inside)[0].tolist()
    # Vertices are outside.
    statement = "SELECT q3c_in_poly(:ra, :dec, CAST(:poly AS double precision[]))"
    for ra, dec in vertex.tolist() if not is_q3c(connection) else []:
        assert connection.execute(text(statement), {"ra": ra, "dec": dec, **words}).scalar() is False


@pytest.mark.parametrize("bad", ["{1,2,3}", "{1,2,3,4}", "{}", "{1,2,3,NULL,5,6}", "{0,0,90,0,180,0,270,0}"])
def test_a_polygon_that_is_none_is_refused(connection: Connection, bad: str) -> None:
    with pytest.raises(Exception, match=r"(?i)polygon|array"), connection.begin_nested():
        connection.execute(text("SELECT q3c_in_poly(1, 1, CAST(:poly AS double precision[]))"), {"poly": bad}).all()


def test_pixel_numbers_equal_those_of_the_arrays(connection: Connection) -> None:
    rng = np.random.default_rng(15)
    ra = np.concatenate([rng.uniform(-400, 800, 2000), [0, 360, -1, 359, 0, 100, 45, 135, 315, -1e-14, 0]])
    dec = np.concatenate([np.degrees(np.arcsin(rng.uniform(-1, 1, 2000))), [0, 0, 0, 0, 90, 90, 0, -90, 91, 0, -95]])
    words = {"r": ra.tolist(), "d": dec.tolist()}
    arrays = "CAST(:r AS double precision[]), CAST(:d AS double precision[])"
    statement = f"SELECT q3c_ang2ipix(r, d) FROM unnest({arrays}) WITH ORDINALITY AS t(r, d, n) ORDER BY n"
    numbers = np.array([row[0] for row in connection.execute(text(statement), words)])
    np.testing.assert_array_equal(numbers, ipix.ang2ipix(ra, dec))
    statement = "SELECT q3c_ipix2ang(i) FROM unnest(CAST(:i AS bigint[])) WITH ORDINALITY AS t(i, n) ORDER BY n"
    back = np.array([row[0] for row in connection.execute(text(statement), {"i": numbers.tolist()})])
    np.testing.assert_allclose(back, np.stack(ipix.ipix2ang(numbers), axis=1), rtol=0, atol=1e-12)
    row = connection.execute(
        text("SELECT q3c_ang2ipix('NaN', 1), q3c_ang2ipix(1, 'Infinity'), q3c_ang2ipix(NULL, 1)")
    ).one()
    assert tuple(row) == (None, None, None)


def test_coarse_pixels_tile_the_sky(connection: Connection) -> None:
    """Areas add up, from the smallest to a face, and centers are the same in all of a pixel."""
    row = connection.execute(text("SELECT sum(q3c_pixarea(f << 60, 30)) FROM generate_series(0::bigint, 5) AS f")).one()
    np.testing.assert_allclose(row[0], 4.0 * np.pi, rtol=1e-14)
    statement = """
        SELECT d, q3c_pixarea(i, d) AS whole,
               (SELECT sum(q3c_pixarea((i / n * n) + k * (n / 4), d - 1)) FROM generate_series(0, 3) AS k) AS parts
          FROM generate_series(2, 30) AS d, unnest(CAST(:i AS bigint[])) AS i,
               LATERAL (SELECT CAST(1 AS bigint) << (2 * d)) AS t(n)"""
    numbers = ipix.ang2ipix(np.array([0.0, 45.0, 200.0, 10.0]), np.array([0.0, 35.2643, -40.0, 89.0]))
    rows = np.array(connection.execute(text(statement), {"i": numbers.tolist()}).all(), dtype=float)
    np.testing.assert_allclose(rows[:, 1], rows[:, 2], rtol=3e-11 if not is_q3c(connection) else 1e-7)
    base = "SELECT q3c_pixarea(q3c_ang2ipix(0, 0), 1)"  # at a face's center a pixel is flat: (4 / 2^30)^2
    np.testing.assert_allclose(connection.execute(text(base)).scalar_one(), 2.0**-56, rtol=1e-15)
    statement = (
        "SELECT q3c_ipixcenter(r, d, 20) >> 40 = q3c_ang2ipix(r, d) >> 40"
        " FROM unnest(CAST(:r AS double precision[]), CAST(:d AS double precision[])) AS t(r, d)"
    )
    ra, dec = around(16, 10.0, 0.0, 179.0, 300)
    words = {"r": ra.tolist(), "d": dec.tolist()}
    assert {row[0] for row in connection.execute(text(statement), words)} == {True}
    assert connection.execute(text("SELECT q3c_ipixcenter('NaN', 1, 2)")).scalar() is None


@pytest.mark.parametrize("wrong", ["q3c_pixarea(1, 0)", "q3c_pixarea(1, 31)", "q3c_pixarea(-1, 3)"])
def test_a_pixel_that_is_none_is_refused(connection: Connection, wrong: str) -> None:
    with pytest.raises(Exception, match=r"(?i)depth|ipix"), connection.begin_nested():
        connection.execute(text(f"SELECT {wrong}"))


@pytest.mark.parametrize("story", STORIES)
def test_coordinates_kept_as_real_are_searched_as_such_in(connection: Connection, story: str) -> None:
    if is_q3c(connection):
        pytest.skip("here Q3C's own functions are installed, which search its own index")
    ra0, dec0, size = STORIES[story]
    a, b = around(1, ra0, dec0, size, 100), around(17, ra0, dec0, size, 300)
    b = np.concatenate([b[0], a[0]]), np.concatenate([b[1], a[1]])
    fill(connection, "a", *a)
    fill(connection, "wide", *b)
    cast = "CAST(ra AS real) AS ra, CAST(dec AS real) AS dec"
    connection.execute(text(f"CREATE TEMP TABLE b AS SELECT id, {cast} FROM wide"))
    connection.execute(text("CREATE INDEX b_sky ON b (sky_zone(dec), ra)"))
    connection.execute(text("ANALYZE b"))
    connection.execute(text("SET LOCAL enable_seqscan = off"))
    rounded = b[0].astype(np.float32).astype(float), b[1].astype(np.float32).astype(float)
    for radius in (5.0 / 3600.0, 0.02, 0.4):
        assert pairs(connection, JOIN.format("q3c_join"), r=radius) == true_pairs(a, rounded, radius)
    shown = plan(connection, JOIN.format("q3c_join"), r=0.002)
    assert shown.count("(ra >= ") >= 2
    assert "b_sky" in shown
    # Ellipses and polygons: the rows of the double precision function on the same numbers.
    for shape in (
        f"q3c_ellipse_query({{}}, {ra0}, {dec0}, 0.4, 0.3, 20.0)",
        "q3c_poly_query({}, CAST(:poly AS double precision[]))",
    ):
        x, y = sphere.offset(ra0, dec0, np.array([0.0, 120.0, 240.0]), 0.4)
        words = {"poly": np.stack([x, y], axis=1).ravel().tolist()} if ":poly" in shape else {}
        one, other = (
            pairs(connection, f"SELECT id FROM b WHERE {shape.format(columns)}", **words)
            for columns in ("ra, dec", "CAST(ra AS double precision), CAST(dec AS double precision)")
        )
        assert one == other
        assert len(one) > 0 or size > 10.0
