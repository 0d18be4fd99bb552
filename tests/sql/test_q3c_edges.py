"""Q3C's edge rules: RA written from -180 to 180, infinities and NaN among the rows, what is an error."""

import math
import re
from typing import Any

import numpy as np
import psycopg
import pytest
from sqlalchemy import Connection, text
from test_q3c import JOIN, around, fill, is_q3c, pairs, plan, true_pairs

from hscdb.sky import sphere

BELT = [(0.0, 20.0), (180.0, -40.0), (90.0, 60.0), (270.0, 0.0), (179.99, 89.9), (359.99, 5.0), (45.0, -89.95)]
ODD = [(math.inf, 20.0), (10.0, math.inf), (10.0, -math.inf), (-math.inf, math.inf), (math.nan, 20.0), (10.0, math.nan)]


def scattered(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Directions about the meridians where ways of writing RA have their seams."""
    parts = [around(seed + i, ra, dec, 0.3, 40) for i, (ra, dec) in enumerate(BELT)]
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


WRITTEN = {
    "from 0 to 360": lambda ra: ra,
    "from -180 to 180": lambda ra: np.where(ra >= 180.0, ra - 360.0, ra),
    "one in three below 0, and 360 for 0": lambda ra: np.where(
        ra == 0.0, 360.0, np.where((np.arange(len(ra)) % 3 == 0) & (ra > 180.0), ra - 360.0, ra)
    ),
}


@pytest.mark.parametrize("way", WRITTEN)
def test_the_indexed_table_may_write_its_ra(connection: Connection, way: str) -> None:
    a, b = scattered(31), scattered(51)
    fill(connection, "a", a[0] + 360.0 * (np.arange(len(a[0])) % 5 - 2), a[1])
    fill(connection, "b", WRITTEN[way](sphere.normalize_ra(b[0])), b[1])
    connection.execute(text("SET LOCAL enable_seqscan = off"))
    for radius in (2.0 / 3600.0, 0.005, 0.1):
        assert pairs(connection, JOIN.format("q3c_join"), r=radius) == true_pairs(a, b, radius), radius
    moved = "q3c_join_pm(a.ra, a.dec, 0, 0, 1, 2000, b.ra, b.dec, 2010, 20, 0.01)"
    assert pairs(connection, f"SELECT a.id, b.id FROM a JOIN b ON {moved}") == true_pairs(a, b, 0.01)
    for ra, dec in BELT:
        near = np.nonzero(sphere.separation(ra, dec, *b) < 0.2)[0].tolist()
        assert len(near) > 10
        around_it = sphere.offset(ra, dec, np.arange(0.0, 360.0, 60.0), 0.2)
        poly = ",".join(repr(float(entry)) for vertex in zip(*around_it, strict=True) for entry in vertex)
        for condition in (
            f"q3c_radial_query(ra, dec, {ra}, {dec}, 0.2)",
            f"q3c_ellipse_query(ra, dec, {ra}, {dec}, 0.2, 1.0, 0.0)",
            f"q3c_ellipse_join({ra}, {dec}, ra, dec, 0.2, 1.0, 0.0)",
            f"coneSearch(ra, dec, {ra}, {dec}, 720)",
        ):
            assert [row[0] for row in pairs(connection, f"SELECT id FROM b WHERE {condition}")] == near, condition
        if abs(dec) < 80.0:
            away = (b[0] - ra + 180.0) % 360.0 - 180.0
            boxed = np.nonzero((np.abs(away) <= 0.2) & (np.abs(b[1] - dec) <= 0.2))[0].tolist()
            box = f"boxSearch(ra, dec, {ra - 0.2}, {ra + 0.2}, {dec - 0.2}, {dec + 0.2})"
            assert [row[0] for row in pairs(connection, f"SELECT id FROM b WHERE {box}")] == boxed
        searched, named, tested = (
            pairs(connection, f"SELECT id FROM b WHERE {name}(ra, dec, CAST(ARRAY[{poly}] AS double precision[]))")
            for name in ("q3c_poly_query", "polygonSearch", "q3c_in_poly")
        )
        assert searched == named == tested
        assert 0.5 * len(near) < len(searched) <= len(near)


SEARCHES = [
    "a.id, b.id FROM a JOIN b ON q3c_join(a.ra, a.dec, b.ra, b.dec, {r})",
    "a.id, b.id FROM a JOIN b ON q3c_join_pm(a.ra, a.dec, 1, 1, 1, 2000, b.ra, b.dec, 2001, 10, {r})",
    "a.id, b.id FROM a JOIN b ON q3c_ellipse_join(a.ra, a.dec, b.ra, b.dec, {r}, 1, 0)",
    "b.id FROM b WHERE q3c_radial_query(ra, dec, 10, 20, {r})",
    "b.id FROM b WHERE q3c_ellipse_query(ra, dec, 10, 20, {r}, 0.5, 30)",
    "b.id FROM b WHERE q3c_in_ellipse(ra, dec, 10, 20, {r}, 0.5, 30)",
    "b.id FROM b WHERE q3c_poly_query(ra, dec, CAST('{{8,18,12,18,10,22}}' AS double precision[])) AND {r} > 0",
    "b.id FROM b WHERE q3c_in_poly(ra, dec, CAST('{{8,18,12,18,10,22}}' AS double precision[])) AND {r} > 0",
    "b.id FROM b WHERE q3c_dist(ra, dec, 10, 20) < {r}",
    "b.id FROM b WHERE healpix_nest(4, ra, dec) = healpix_nest(4, 10, 20) AND {r} > 0",
]


@pytest.mark.parametrize("search", SEARCHES)
def test_rows_of_infinity_and_nan_end_no_statement(connection: Connection, search: str) -> None:
    if is_q3c(connection):
        pytest.skip("Q3C itself ends a join at such a row of the left table")
    good = around(9, 10.0, 20.0, 1.0, 60)
    rows = [np.concatenate([column, [odd[i] for odd in ODD]]) for i, column in enumerate(good)]
    fill(connection, "a", rows[0], rows[1])
    fill(connection, "b", rows[0], rows[1])
    for seqscan in ("on", "off"):
        connection.execute(text(f"SET LOCAL enable_seqscan = {seqscan}"))
        for radius in ("0.01", "1", "100"):
            found = np.array(pairs(connection, "SELECT " + search.format(r=radius)))
            assert len(found) > 0 or radius == "0.01"
            assert np.all(found < len(good[0]))


def value(connection: Connection, expression: str) -> Any:
    return connection.execute(text(f"SELECT {expression}")).scalar()


def test_distances_of_what_is_infinite_are_nan(connection: Connection) -> None:
    for odd in ("'Infinity', 20", "10, '-Infinity'", "'NaN', 20"):
        for name in ("q3c_dist", "q3c_sindist"):
            assert math.isnan(value(connection, f"{name}({odd}, 10, 20)"))
            assert math.isnan(value(connection, f"{name}(10, 20, {odd})"))
        assert math.isnan(value(connection, f"q3c_dist_pm({odd}, 1, 1, 1, 2000, 10, 20, 2010)"))
    assert math.isnan(value(connection, "q3c_dist_pm(10, 20, 'NaN', 1, 0, 2000, 10, 20, 2010)"))
    assert value(connection, "q3c_dist('Infinity', NULL, 10, 20)") is None
    for nothing in ("NULL, 20, 10, 20, 1, 0.5, 0", "10, 20, 10, 20, 1, NULL, 0", "10, 20, 10, 20, 1, 0.5, NULL"):
        assert value(connection, f"q3c_in_ellipse({nothing})") is None


@pytest.mark.parametrize("wrong", ["NULL, 2000, 10, 20, 2010, 20, 1", "1, 2000, 10, 20, 2010, 20, NULL",
                                   "1, 2000, 10, 20, 2010, -5, 1"])  # fmt: skip
def test_a_join_with_motions_refuses(connection: Connection, wrong: str) -> None:
    with pytest.raises(Exception, match=r"(?i)cosdec_flag|epoch") as caught, connection.begin_nested():
        value(connection, f"q3c_join_pm(10, 20, 1, 1, {wrong})")
    assert isinstance(caught.value.__cause__, psycopg.Error)


def test_nothing_is_called_for_each_pair_that_could_be_computed_in_place(connection: Connection) -> None:
    if is_q3c(connection):
        pytest.skip("Q3C's are functions of C")
    for name in ("a", "b"):
        fill(connection, name, *around(3, 10.0, 20.0, 1.0, 60))
    moved = "q3c_join_pm(a.ra, a.dec, a.ra, a.dec, 1, a.dec, b.ra, b.dec, b.dec, 20, 0.01)"
    for condition in (f"q3c_join(a.ra, a.dec, b.ra, b.dec, {r})" for r in ("0.001", "0.005", "0.02")):
        assert not re.search(r"(q3c|sky)_\w+\(", plan(connection, f"SELECT FROM a JOIN b ON {condition}"))
    assert "sindist" not in plan(connection, f"SELECT FROM a JOIN b ON {moved}")
