"""The small functions of the catalog's face: HSC-SSP's searches, angles, fluxes, flags, aggregates, HEALPix."""

from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection, text

from hscdb.image import flags, mask
from hscdb.sky import sphere
from hscdb.sky.wcs import Wcs

STORIES = {
    "a patch of sky": (150.0, 2.2),
    "across RA 0": (0.0, -30.0),
    "the north pole": (0.0, 90.0),
    "near the south pole": (123.0, -89.99),
}


def around(seed: int, ra: float, dec: float, radius: float, n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return sphere.offset(ra, dec, rng.uniform(0, 360, n), radius * np.sqrt(rng.uniform(0, 1, n)))


def fill(connection: Connection, name: str, ra: Any, dec: Any) -> None:
    connection.execute(text(f"CREATE TEMP TABLE {name} (id integer, ra double precision, dec double precision)"))
    words = {"i": list(range(len(ra))), "r": list(map(float, ra)), "d": list(map(float, dec))}
    arrays = "CAST(:i AS integer[]), CAST(:r AS double precision[]), CAST(:d AS double precision[])"
    connection.execute(text(f"INSERT INTO {name} SELECT * FROM unnest({arrays})"), words)
    connection.execute(text(f"CREATE INDEX {name}_sky ON {name} (sky_zone(dec), ra)"))
    view = f"CREATE TEMP VIEW {name}_view AS SELECT id, CAST(ROW(ra, dec) AS skycoord) AS coord FROM {name}"
    connection.execute(text(view))
    connection.execute(text(f"ANALYZE {name}"))


def ids(connection: Connection, statement: str, **words: Any) -> list[int]:
    return sorted(row[0] for row in connection.execute(text(statement), words))


def one(connection: Connection, expression: str, **words: Any) -> Any:
    return connection.execute(text(f"SELECT {expression}"), words).scalar_one()


def plan(connection: Connection, statement: str) -> str:
    return "\n".join(row[0] for row in connection.execute(text("EXPLAIN " + statement)))


@pytest.mark.parametrize(("ra", "n_search"), [(20.0, 1), (0.001, 2), (179.999, 2), (320.0, 2)])
def test_a_cone_searches_a_turn_away_only_where_rows_may_be_written_so(
    connection: Connection, ra: float, n_search: int
) -> None:
    fill(connection, "t", *around(1, ra, 5.0, 3.0, 5000))
    connection.execute(text("SET LOCAL enable_seqscan = off"))
    for condition in (f"coneSearch(ra, dec, {ra}, 5, 60)", f"q3c_radial_query(ra, dec, {ra}, 5, 1.0 / 60)"):
        assert plan(connection, f"SELECT * FROM t WHERE {condition}").count("Index Cond") == n_search


@pytest.mark.parametrize("story", STORIES)
def test_a_cone_holds_its_limit_in(connection: Connection, story: str) -> None:
    ra0, dec0 = STORIES[story]
    ra, dec = around(1, ra0, dec0, 0.05, 500)
    fill(connection, "t", np.append(ra, ra0), np.append(dec, dec0))
    away = 3600.0 * sphere.separation(ra0, dec0, np.append(ra, ra0), np.append(dec, dec0))
    edge = float(np.sort(away)[200])
    for seqscan in ("on", "off"):
        connection.execute(text(f"SET LOCAL enable_seqscan = {seqscan}"))
        for radius in (0.0, 5.0, 60.0, edge * (1 + 1e-12)):
            wanted = np.nonzero(away <= radius)[0].tolist()
            words = {"a": ra0, "d": dec0, "r": radius}
            assert ids(connection, "SELECT id FROM t WHERE coneSearch(ra, dec, :a, :d, :r)", **words) == wanted
            assert ids(connection, "SELECT id FROM t_view WHERE coneSearch(coord, :a, :d, :r)", **words) == wanted
            assert wanted
    for nothing in ({"a": None}, {"r": None}, {"r": -1.0}, {"r": float("nan")}, {"d": float("nan")}):
        words = {"a": ra0, "d": dec0, "r": 60.0} | nothing
        statement = (
            "SELECT id FROM t WHERE coneSearch(ra, dec, CAST(:a AS float8), CAST(:d AS float8), CAST(:r AS float8))"
        )
        assert ids(connection, statement, **words) == []
    # false, and not NULL, also where the search is near what NULL would count as
    calls = ("coneSearch({}, 0, -90, 3600)", "boxSearch({}, 0, 1, -90, 90)", "polygonSearch({}, '{{1,2,3,4,1,4}}')")
    for search in calls:
        assert one(connection, search.format("CAST(NULL AS skycoord)")) is False


@pytest.mark.parametrize("n_list", [3, 1000])
def test_a_list_matched_by_cones_uses_the_index(connection: Connection, n_list: int) -> None:
    """What the archives of the HSC family cannot do: their join reads every row for every position."""
    places, sky = around(2, 10.0, 0.0, 2.0, n_list), around(3, 10.0, 0.0, 2.0, 4000)
    fill(connection, "list", *places)
    fill(connection, "sky", np.append(sky[0], places[0][:3]), np.append(sky[1], places[1][:3]))
    close = sphere.separation(
        places[0][:, None], places[1][:, None], *(np.append(s, p[:3]) for s, p in zip(sky, places, strict=True))
    )
    for right, call in (("sky", "b.ra, b.dec"), ("sky_view", "b.coord")):
        statement = f"SELECT a.id, b.id FROM list AS a JOIN {right} AS b ON coneSearch({call}, a.ra, a.dec, 20.0)"
        shown = plan(connection, statement)
        assert "sky_sky" in shown
        assert "(ra >= " in shown
        assert "(ra <= " in shown
        found = sorted(tuple(row) for row in connection.execute(text(statement)))
        assert found == sorted(zip(*(k.tolist() for k in np.nonzero(3600.0 * close <= 20.0)), strict=True))
        assert len(found) >= 3


def test_searches_by_constants_use_the_index(connection: Connection) -> None:
    fill(connection, "t", *around(4, 10.0, 0.0, 20.0, 4000))
    for condition in (
        "coneSearch(ra, dec, 10, 1, 30)",
        "boxSearch(ra, dec, 10, 10.1, 1, 1.1)",
        "polygonSearch(ra, dec, ARRAY[10, 1, 10.1, 1, 10.1, 1.1])",
    ):
        assert "t_sky" in plan(connection, f"SELECT id FROM t WHERE {condition}"), condition
    for condition in ("coneSearch(coord, 10, 1, 30)", "boxSearch(coord, 10, 10.1, 1, 1.1)"):
        assert "t_sky" in plan(connection, f"SELECT id FROM t_view WHERE {condition}"), condition


@pytest.mark.parametrize(
    ("ra1", "ra2", "inside"),
    [
        (350.0, 370.0, lambda ra: (ra >= 350) | (ra <= 10)),
        (-10.0, 10.0, lambda ra: (ra >= 350) | (ra <= 10)),
        (350.0, 10.0, lambda ra: (ra >= 10) & (ra <= 350)),
        (20.0, 30.0, lambda ra: (ra >= 20) & (ra <= 30)),
        (0.0, 360.0, lambda ra: ra >= 0),
        (90.0, 500.0, lambda ra: ra >= 0),
    ],
)
def test_a_box_goes_from_the_smaller_to_the_larger_ra(
    connection: Connection, ra1: float, ra2: float, inside: Any
) -> None:
    ra, dec = np.meshgrid(np.arange(0.0, 360.0, 2.5), [-90.0, -10.0, -3.0, 0.0, 3.0, 90.0])
    fill(connection, "t", ra.ravel(), dec.ravel())
    for dec1, dec2 in ((-3.0, 3.0), (3.0, -3.0), (-90.0, 90.0)):
        wanted = np.nonzero(inside(ra.ravel()) & (np.abs(dec.ravel()) <= abs(dec1)))[0].tolist()
        words = {"a": ra1, "b": ra2, "c": dec1, "d": dec2}
        for seqscan in ("on", "off"):
            connection.execute(text(f"SET LOCAL enable_seqscan = {seqscan}"))
            assert ids(connection, "SELECT id FROM t WHERE boxSearch(ra, dec, :a, :b, :c, :d)", **words) == wanted
        assert ids(connection, "SELECT id FROM t_view WHERE boxSearch(coord, :a, :b, :c, :d)", **words) == wanted


def test_a_polygon_search_is_that_of_q3c(connection: Connection) -> None:
    fill(connection, "t", *around(5, 0.0, 60.0, 1.0, 800))
    poly = "ARRAY[359.5, 59.5, 1, 59.6, 0.3, 60.6]"
    wanted = ids(connection, f"SELECT id FROM t WHERE q3c_in_poly(ra, dec, {poly})")
    assert ids(connection, f"SELECT id FROM t WHERE polygonSearch(ra, dec, {poly})") == wanted
    assert ids(connection, f"SELECT id FROM t_view WHERE polygonSearch(coord, {poly})") == wanted
    assert 50 < len(wanted) < 500


def test_object_ids_are_taken_apart(connection: Connection) -> None:
    tract, px, py = 9813, 7, 12
    words = {"i": (tract << 42) + (px << 37) + (py << 32) + 123}
    names = ("tract_from_object_id", "patch_from_object_id", "patch_s_from_object_id", "skymap_from_object_id")
    found = [one(connection, f"{name}(CAST(:i AS bigint))", **words) for name in names]
    assert found == [tract, 100 * px + py, "7,12", 10000 * tract + 100 * px + py]
    inside = [one(connection, f"tractSearch(CAST(:i AS bigint), {first}, {last})", **words)
              for first, last in ((9813, 9813), (9814, 9900), (9000, 9812), (9000, 9900))]  # fmt: skip
    assert inside == [True, False, False, True]
    assert one(connection, "tractSearch(CAST(:i AS bigint), 9813)", **words)
    edges = "tractSearch(9813::bigint << 42, 9813), tractSearch(9814::bigint << 42, 9813)".replace("::bigint", "::int8")
    row = connection.exec_driver_sql(f"SELECT {edges}").one()
    assert tuple(row) == (True, False)


def test_pixels_of_a_tract_are_those_of_the_arrays(connection: Connection) -> None:
    scale = 0.168 / 3600.0
    for ra0, dec0 in ((150.0, 2.2), (0.0, 89.5), (359.9, -60.0)):
        wcs = Wcs((ra0, dec0), (17999.0, 17000.0), np.array([[-scale, 0.0], [0.0, scale]]))
        x, y = np.random.default_rng(6).uniform(-1000, 37000, (2, 50))
        ra, dec = wcs.pixel_to_sky(x, y)
        row = f"CAST(ROW(36000, 36000, 18000, 17001, {ra0}, {dec0}, {scale!r}) AS coaddwcs)"
        words = {"x": x.tolist(), "y": y.tolist(), "r": ra.tolist(), "d": dec.tolist()}
        arrays = ", ".join(f"CAST(:{name} AS float8[])" for name in words)
        found = connection.execute(
            text(f"SELECT (sky_to_pixel({row}, r, d)).*, (pixel_to_sky({row}, x, y)).* FROM unnest({arrays})"
                 " WITH ORDINALITY AS t(x, y, r, d, n) ORDER BY n"),
            words,
        ).all()  # fmt: skip
        px, py, pra, pdec = np.array(found).T
        np.testing.assert_allclose([px, py], [x, y], atol=1e-7)
        assert (3600.0 * sphere.separation(pra, pdec, ra, dec)).max() < 1e-9
    assert one(connection, f"(sky_to_pixel({row}, 180, 60)).x") is None


def test_angles_are_read_and_written(connection: Connection) -> None:
    read = {
        "hms2deg('10:12:13.4')": 15 * (10 + 12 / 60 + 13.4 / 3600),
        "hms2deg('1h2m3.5s')": 15 * (1 + 2 / 60 + 3.5 / 3600),
        "hms2deg('00 00 00')": 0.0,
        "dms2deg('-00:30:00')": -0.5,
        "dms2deg('+89:59:59.999')": 89 + 59 / 60 + 59.999 / 3600,
        "dms2deg('-5d 10 20.5')": -(5 + 10 / 60 + 20.5 / 3600),
        "dms2deg('12:30')": 12.5,
    }
    for call, wanted in read.items():
        assert connection.exec_driver_sql(f"SELECT {call}").scalar_one() == pytest.approx(wanted, abs=1e-12), call
    written = {
        "deg2hms(359.99999999)": "00:00:00.000",
        "deg2hms(-15)": "23:00:00.000",
        "deg2hms(10, 0)": "00:40:00",
        "deg2dms(-0.5)": "-00:30:00.00",
        "deg2dms(59.99999999)": "+60:00:00.00",
        "deg2dms(89.99, 1)": "+89:59:24.0",
    }
    for call, wanted in written.items():
        assert one(connection, call) == wanted, call
    for nothing in ("hms2deg(NULL)", "deg2hms('NaN')", "deg2hms('Infinity')", "deg2dms('NaN')", "deg2dms('-Infinity')"):
        assert one(connection, nothing) is None
    for bad in ("hms2deg('10:60:00')", "dms2deg('abc')", "dms2deg('')", "hms2deg('1:2:3:4')"):
        with pytest.raises(Exception, match="cannot be read"), connection.begin_nested():
            connection.exec_driver_sql(f"SELECT {bad}")
    rng = np.random.default_rng(7)
    for deg in rng.uniform(-90, 90, 50).tolist():
        assert one(connection, "dms2deg(deg2dms(CAST(:d AS float8), 9))", d=deg) == pytest.approx(deg, abs=3e-13)
        assert one(connection, "hms2deg(deg2hms(CAST(:d AS float8), 9))", d=deg) == pytest.approx(deg % 360, abs=3e-12)


def test_fluxes_and_magnitudes(connection: Connection) -> None:
    assert one(connection, "njy_to_abmag(3631)") == pytest.approx(22.5, abs=1e-12)
    assert one(connection, "abmag_to_njy(njy_to_abmag(123.4))") == pytest.approx(123.4, rel=1e-13)
    assert one(connection, "njy_to_abmag_err(100, 5)") == pytest.approx(2.5 / np.log(10) * 0.05, rel=1e-13)
    for nothing in ("0", "-5", "'NaN'", "'Infinity'", "NULL"):
        assert one(connection, f"njy_to_abmag({nothing})") is None
        assert one(connection, f"njy_to_abmag_err({nothing}, 1)") is None
    assert one(connection, "njy_to_abmag_err(5, 'NaN')") is None
    # Far above the softening the two kinds of magnitude agree, at zero the one is 2.5 log(3631e9 / softening).
    assert one(connection, "njy_to_asinhmag(1e6, 10) - njy_to_abmag(1e6)") == pytest.approx(0.0, abs=1e-9)
    assert one(connection, "njy_to_asinhmag(0, 10)") == pytest.approx(2.5 * np.log10(3631e9 / 10), abs=1e-12)
    assert one(connection, "njy_to_asinhmag(-3, 10)") > one(connection, "njy_to_asinhmag(3, 10)")


def test_flags_have_names(connection: Connection) -> None:
    assert one(connection, "mask_names(5)") == [name for name, bit, _ in mask.PLANES if bit in (0, 2)]
    assert one(connection, "mask_names(0)") == []
    assert one(connection, "mask_names(NULL)") is None
    bits = {name: bit for name, bit, _ in mask.PLANES}
    assert one(connection, "mask_bits('SAT', 'bad')") == 1 << bits["SAT"] | 1 << bits["BAD"]
    first, last = flags.FLAGS[0], flags.FLAGS[-1]
    word = 1 << first[1] | 1 << last[1]
    assert one(connection, "flag_names(CAST(:w AS bigint))", w=word) == [first[0], last[0]]
    assert one(connection, "fPhotoFlagsN(CAST(:w AS bigint))", w=word) == f"{first[0]} {last[0]}"
    assert one(connection, "flag_bits(:a, :b)", a=first[0], b=last[0]) == word
    assert one(connection, "fPhotoFlags(:a)", a=last[0]) == 1 << last[1]
    with pytest.raises(Exception, match="there is none of this name"), connection.begin_nested():
        one(connection, "mask_bits('SATURATED')")


def test_aggregates_equal_numpy(connection: Connection) -> None:
    rng = np.random.default_rng(8)
    x, s = 1e6 + rng.exponential(3.0, 500), rng.uniform(0.5, 2.0, 500)
    words = {"x": x.tolist(), "s": s.tolist()}
    calls = "skewness(x), kurtosis(x), weighted_mean(x, s), avg(x, s), chi2_per_freedom(x, s)"
    rows = "unnest(CAST(:x AS float8[]), CAST(:s AS float8[])) AS t(x, s)"
    found = connection.execute(text(f"SELECT {calls} FROM {rows}"), words).one()
    d = x - x.mean()
    mean = (x / s**2).sum() / (1 / s**2).sum()
    skew, kurt = (d**3).mean() / (d**2).mean() ** 1.5, (d**4).mean() / (d**2).mean() ** 2 - 3
    wanted = [skew, kurt, (x * s).sum() / s.sum(), mean, (((x - mean) / s) ** 2).sum() / 499]  # fmt: skip
    np.testing.assert_allclose(list(found), wanted, rtol=1e-8)
    assert tuple(connection.execute(text(f"SELECT {calls} FROM {rows} WHERE false"), words).one()) == (None,) * 5
    odd = "(VALUES (1.0::float8, 1.0::float8), (3, 0), (5, NULL), (NULL, 1), ('NaN', 1), (7, -1), (2, 1)) AS t(x, s)"
    row = connection.exec_driver_sql(f"SELECT weighted_mean(x, s), avg(x, s), chi2_per_freedom(x, s) FROM {odd}").one()
    assert tuple(row) == (1.5, 1.5, 0.5)
    assert connection.exec_driver_sql("SELECT kurtosis(x) FROM (VALUES (3.0::float8), (3)) AS t(x)").scalar() is None


def test_a_sample_is_a_part_and_smaller_ones_lie_in_larger(connection: Connection) -> None:
    statement = "SELECT id FROM generate_series(1, 20000) AS t(id) WHERE sample(id, {})"
    percents = (-1, 0, 1, 10, 50, 100, 1e300, "'NaN'")
    parts = {percent: set(ids(connection, statement.format(percent))) for percent in percents}
    assert [len(parts[percent]) for percent in (-1, 0, 100, 1e300, "'NaN'")] == [0, 0, 20000, 20000, 0]
    for percent in (1, 10, 50):
        assert abs(len(parts[percent]) - 200 * percent) < 5 * np.sqrt(200 * percent)
    assert parts[1] < parts[10] < parts[50]


# ra, dec, and the numbers that astropy-healpix 2.0 gives: (order, nested, in rings).
HEALPIX = [
    (10.0, 20.0, 0, 4, 4), (10.0, 20.0, 8, 317814, 257564), (150.1, 2.2, 10, 6978115, 6049452),
    (266.4, -28.9, 12, 118088319, 149311324), (45.0, 88.0, 15, 1072902159, 3923500),
    (123.4, -89.5, 18, 618479003735, 824618027868), (359.999, 41.81, 20, 3665038759297, 2199050518516),
]  # fmt: skip


def test_healpix_numbers_are_the_known_ones(connection: Connection) -> None:
    for ra, dec, order, nested, ring in HEALPIX:
        words = {"r": ra, "d": dec, "o": order}
        assert one(connection, "healpix_nest(:o, :r, :d)", **words) == nested
        assert one(connection, "healpix_ring(:o, :r, :d)", **words) == ring
        assert one(connection, "ivo_healpix_index(:o, :r, :d)", **words) == nested


def test_healpix_pixels_are_equal_in_area_and_hold_their_centers(connection: Connection) -> None:
    rng = np.random.default_rng(9)
    ra, dec = rng.uniform(0, 360, 12000), np.degrees(np.arcsin(rng.uniform(-1, 1, 12000)))
    words = {"r": ra.tolist(), "d": dec.tolist()}
    rows = "unnest(CAST(:r AS float8[]), CAST(:d AS float8[])) AS t(r, d)"
    counts = connection.execute(text(f"SELECT healpix_nest(1, r, d), count(*) FROM {rows} GROUP BY 1"), words).all()
    assert len(counts) == 48
    assert max(abs(count - 250) for _, count in counts) < 5 * np.sqrt(250)
    for order in (0, 3, 29):
        parent = "healpix_nest(least(:o + 1, 29), r, d) / CASE WHEN :o < 29 THEN 4 ELSE 1 END"
        statement = (
            f"SELECT count(*) FROM {rows}, LATERAL (SELECT healpix_nest(:o, r, d)) AS n(n),"
            f" LATERAL healpix_center(:o, n) AS c WHERE healpix_nest(:o, c.ra, c.dec) <> n OR {parent} <> n"
        )
        assert connection.execute(text(statement), words | {"o": order}).scalar() == 0
    for nothing in ("'NaN', 0", "NULL, 0", "0, 91", "'Infinity', 0"):
        assert one(connection, f"healpix_nest(3, {nothing})") is None
        assert one(connection, f"healpix_ring(3, {nothing})") is None
    for bad in ("healpix_nest(30, 0, 0)", "healpix_nest(-1, 0, 0)", "healpix_center(1, 48)", "healpix_center(1, -1)"):
        with pytest.raises(Exception, match="HEALPix"), connection.begin_nested():
            one(connection, bad)
