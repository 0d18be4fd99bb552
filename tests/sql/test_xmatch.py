"""xmatch: pairs equal brute force whatever the tables are, and however they are given."""

import re
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection, text

from hscdb.sky import sphere

STORIES = {
    "a patch of sky": (150.0, 2.2, 0.02),
    "across RA 0": (0.0, -30.0, 0.02),
    "the north pole": (0.0, 90.0, 0.02),
    "near the north pole": (200.0, 89.99, 0.02),
    "the south pole": (123.0, -89.999, 0.02),
    "the whole sky": (10.0, 10.0, 179.0),
}
RADII = (0.05, 1.0, 10.0, 60.0)
Places = tuple[np.ndarray, np.ndarray]


def around(seed: int, ra: float, dec: float, radius: float, n: int) -> Places:
    rng = np.random.default_rng(seed)
    distance = np.degrees(np.arccos(1.0 - (1.0 - np.cos(np.radians(radius))) * rng.uniform(size=n)))
    return sphere.offset(ra, dec, rng.uniform(0, 360, n), distance)


def two(story: str) -> tuple[Places, Places]:
    """Two lists with near neighbors, the same places, and pairs at the ends of the radii."""
    rng = np.random.default_rng(3)
    a, b = around(1, *STORIES[story], 150), around(2, *STORIES[story], 100)
    for radius in RADII:
        part = rng.integers(0, 150, 25)
        close = sphere.offset(
            a[0][part], a[1][part], rng.uniform(0, 360, 25), radius / 3600.0 * rng.uniform(0.9, 1.1, 25)
        )
        b = np.concatenate([b[0], close[0]]), np.concatenate([b[1], close[1]])
    return a, (np.concatenate([b[0], a[0][:20]]), np.concatenate([b[1], a[1][:20]]))


def fill(connection: Connection, name: str, places: Places, *, index: bool, kind: str = "double precision") -> None:
    connection.execute(text(f"CREATE TEMP TABLE {name} (id integer PRIMARY KEY, ra {kind}, dec {kind})"))
    words = {"i": list(range(len(places[0]))), "r": places[0].tolist(), "d": places[1].tolist()}
    arrays = "CAST(:i AS integer[]), CAST(:r AS double precision[]), CAST(:d AS double precision[])"
    connection.execute(text(f"INSERT INTO {name} SELECT * FROM unnest({arrays})"), words)
    if index:
        connection.execute(text(f"CREATE INDEX ON {name} (sky_zone(dec), ra)"))


def signed(places: Places) -> Places:
    """The same with RA written from -180 to 180."""
    return np.where(places[0] > 180.0, places[0] - 360.0, places[0]), places[1]


def match(connection: Connection, words: str) -> list[tuple[int, int, float]]:
    return sorted(tuple(row) for row in connection.execute(text(f"SELECT * FROM xmatch({words})")))


def chosen(separation: np.ndarray, radius: float, mode: str) -> list[tuple[int, int]]:
    """The pairs of a mode, from all separations [arcsec]; of equally near ones the first counts."""
    close = separation < radius
    if mode != "all":
        far = np.where(close, separation, np.inf)
        best = np.zeros_like(close)
        best[np.arange(len(far)), far.argmin(axis=1)] = True
        if mode == "mutual":
            back = np.zeros_like(close)
            back[far.argmin(axis=0), np.arange(far.shape[1])] = True
            best &= back
        close = close & best
    return sorted(zip(*(index.tolist() for index in np.nonzero(close)), strict=True))


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("index", ["none", "left", "right", "both", "both, RA from -180 to 180"])
def test_pairs_equal_brute_force_in(connection: Connection, story: str, index: str) -> None:
    a, b = two(story)
    if "RA" in index:
        a, b = signed(a), signed(b)
        assert (np.concatenate([a[0], b[0]]) < 0.0).any() or story == "a patch of sky"
    fill(connection, "a", a, index=index[:4] in ("left", "both"))
    fill(connection, "b", b, index=index[:4] in ("righ", "both"))
    separation = 3600.0 * sphere.separation(a[0][:, None], a[1][:, None], *b)
    for radius in RADII:
        for mode in ("all", "best", "mutual"):
            found = match(connection, f"'a', 'b', {radius}, '{mode}'")
            if mode == "all":
                assert [row[:2] for row in found] == chosen(separation, radius, mode)
            else:  # what is equally near may be taken either way by rounding
                assert len({row[0] for row in found}) == len(found)
                wanted = chosen(separation, radius, mode)
                assert abs(len(found) - len(wanted)) <= (2 if mode == "mutual" else 0)
                near = [separation[row[:2]] for row in found]
                assert mode == "mutual" or np.allclose(near, [separation[pair] for pair in wanted], atol=1e-9)
            np.testing.assert_allclose([row[2] for row in found], [separation[row[:2]] for row in found], atol=2e-9)
    assert len(chosen(separation, 10.0, "all")) >= 70


def test_the_cells_of_a_circle_hold_all_its_points_once(connection: Connection) -> None:
    """Points on the edge of circles all over the sky: within and beyond 60 deg, at both poles, across RA 0."""
    rng = np.random.default_rng(7)
    n = 4000
    dec = np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    dec[:500] = rng.choice([-60.0, 60.0], 500) + rng.normal(0, 0.1, 500)
    dec[500:700] = rng.choice([-1.0, 1.0], 200) * (90.0 - 10.0 ** rng.uniform(-7, 0, 200))
    ra = rng.uniform(0, 360, n)
    ra[::7] = np.mod(rng.normal(0, 0.01, len(ra[::7])), 360)
    for radius in (0.5 / 3600, 20.0 / 3600, 1.0):
        connection.execute(text("DROP TABLE IF EXISTS a, b CASCADE"))
        fill(connection, "a", (ra, dec), index=False)
        edge = sphere.offset(ra, dec, rng.uniform(0, 360, n), np.full(n, radius * (1.0 - 1e-9)))
        fill(connection, "b", edge, index=False)
        connection.execute(text("CREATE TEMP VIEW seen AS SELECT * FROM a"))
        for table in ("a", "seen"):  # a view is read once, a table in three parts
            words = {"r": radius}
            ask = (
                f"SELECT sky_corners_statement('{table}', 'id', 'ra', 'dec', :r + 1e-9, sky_cell_height(:r)),"
                " sky_in_cells_statement('b', 'id', 'ra', 'dec', sky_cell_height(:r))"
            )
            cells, own = connection.execute(text(ask), words).one()
            missed = connection.execute(
                text(
                    f"SELECT b.* FROM ({own}) AS b LEFT JOIN ({cells}) AS c"
                    " ON c.id = b.id AND c.key = b.key WHERE c.id IS NULL"
                )
            ).all()
            assert missed == []
            counts = connection.execute(
                text(f"SELECT count(*), count(DISTINCT (c.id, c.key)) FROM ({cells}) AS c")
            ).one()
            assert counts[0] == counts[1] > n


def test_no_two_cells_of_a_circle_share_a_key(connection: Connection) -> None:
    """Else its pairs would come twice: first and last cell of a zone are an even number apart, zones an odd one."""
    fill(connection, "a", around(6, 10.0, 0.0, 0.01, 10), index=False)
    least = connection.execute(text("SELECT sky_cell_height(0.0)")).scalar_one()
    ask = text(
        "SELECT array_agg(CAST(sky_n_cell(z, :h) AS integer)) FROM generate_series(-CAST(:n AS integer), :n) AS z"
    )
    cells = text("SELECT sky_in_cells_statement('a', 'id', 'ra', 'dec', :h)")
    for h in (least, 0.00387, 0.0178, 8.0):
        n = np.array(connection.execute(ask, {"h": h, "n": round(90.0 / h)}).scalar_one())
        assert (n % 2 == 1).all()
        assert n.min() == 1
        assert 180.0 / h - 2.0 < n.max() <= 180.0 / h
        statement = connection.execute(cells, {"h": h}).scalar_one()
        factors = {int(number) for number in re.findall(r"AS integer\) \* (\d+)", statement)}
        assert [factor % 2 for factor in factors] == [1]
        assert factors.pop() * (90.0 / h + 1.0) + n.max() < 2**31  # a key is an integer


@pytest.mark.parametrize("story", STORIES)
def test_large_cells_of_sparse_tables_give_the_same_pairs_in(connection: Connection, story: str) -> None:
    """What a million rows would be matched by: heights are chosen by the number of rows and how crowded they are."""
    a, b = two(story)
    fill(connection, "a", a, index=False)
    fill(connection, "b", b, index=False)
    separation = 3600.0 * sphere.separation(a[0][:, None], a[1][:, None], *b)
    table = "CAST('{}' AS regclass), 'id', 'ra', 'dec', 1e6"
    for radius in RADII[:3]:
        ask = f"SELECT sky_cell_join_statement({table.format('a')}, {table.format('b')}, {radius} / 3600.0)"
        statement = connection.execute(text(ask)).scalar_one()
        found = connection.execute(text(f"SELECT probe_id, base_id FROM ({statement}) AS p")).all()
        assert sorted(tuple(pair) for pair in found) == chosen(separation, radius, "all")
        height = f"SELECT 3600 * sky_cell_best_height({radius} / 3600.0, 1e6, 1e6, sky_crowding('a', 'ra', 'dec'))"
        assert 8.0 * radius < connection.execute(text(height)).scalar_one() <= 180.0


@pytest.mark.parametrize("is_ours", [True, False])
def test_long_tables_are_hashed_by_cells_in_parallel(connection: Connection, is_ours: bool) -> None:
    """With cells hashed by their own numbers, and where the schema's owner may not make that operator."""
    if not is_ours:
        connection.execute(text("DROP OPERATOR FAMILY near_integer_ops USING hash CASCADE"))
        connection.execute(text("DROP OPERATOR =#= (integer, integer)"))
    a = around(4, *STORIES["near the north pole"], 20000)
    b = sphere.offset(a[0][::2], a[1][::2], np.full(10000, 10.0), np.full(10000, 0.3 / 3600.0))
    for name, (ra, dec) in {"a": a, "b": b}.items():
        connection.execute(text(f"CREATE TABLE many_{name} (id integer, ra double precision, dec double precision)"))
        fill(connection, name, (ra, dec), index=False)
        connection.execute(text(f"INSERT INTO many_{name} SELECT * FROM {name}"))
        connection.execute(text(f"ANALYZE many_{name}"))
    found = match(connection, "'many_a', 'many_b', 0.5")
    near = [(left, right) for left, right, _ in found if left == 2 * right]
    assert near == [(2 * right, right) for right in range(10000)]
    separation = sphere.separation(
        *(axis[[row[0] for row in found]] for axis in a), *(axis[[row[1] for row in found]] for axis in b)
    )
    assert (3600.0 * separation < 0.5).all()
    statement = connection.execute(
        text(
            "SELECT sky_cell_join_statement('many_b', 'id', 'ra', 'dec', 10000, 'many_a', 'id', 'ra', 'dec', 20000,"
            " 0.5 / 3600)"
        )
    ).scalar_one()
    for setting in ("parallel_setup_cost = 0", "parallel_tuple_cost = 0", "min_parallel_table_scan_size = 0",
                    "max_parallel_workers_per_gather = 2", "enable_mergejoin = off"):  # fmt: skip
        connection.execute(text(f"SET LOCAL {setting}"))
    plan = "\n".join(row[0] for row in connection.execute(text(f"EXPLAIN {statement}")))
    assert plan.startswith("Gather"), plan
    assert "Parallel Hash Join" in plan
    assert ("=#=" in plan) == is_ours


def test_crowding_is_the_density_that_rows_see(connection: Connection) -> None:
    fill(connection, "a", around(8, 150.0, 40.0, 0.3, 30000), index=False)
    density = connection.execute(text("SELECT sky_crowding('a', 'ra', 'dec')")).scalar_one()
    assert density == pytest.approx(30000 / (np.pi * 0.3**2), rel=0.25)
    fill(connection, "b", around(8, 150.0, 40.0, 0.3, 30), index=False)
    assert connection.execute(text("SELECT sky_crowding('b', 'ra', 'dec')")).scalar_one() is None


def test_the_right_tables_are_searched_by_their_index(connection: Connection) -> None:
    """Cells need no index; where one is there, it is used from either side."""
    fill(connection, "a", around(4, 10.0, 0.0, 20.0, 2000), index=False)
    fill(connection, "b", around(5, 10.0, 0.0, 20.0, 5000), index=True)
    ask = "SELECT idx_scan FROM pg_stat_xact_user_tables WHERE relname = 'b'"
    for words, wanted in (("'a', 'b'", True), ("'b', 'a'", True), ("'a', 'a'", False)):
        before = connection.execute(text(ask)).scalar_one()
        match(connection, f"{words}, 1.0")
        assert (connection.execute(text(ask)).scalar_one() - before >= 2000) == wanted


def test_rows_that_are_nowhere_match_nothing(connection: Connection) -> None:
    places = around(6, 10.0, 0.0, 0.01, 40)
    for name, index in (("a", False), ("b", False), ("c", True)):
        fill(connection, name, places, index=index)
        nothing = "(-1, NULL, 0), (-2, 10, NULL), (-3, 'NaN', 0), (-4, 10, 'NaN'), (-5, 'Infinity', 0)"
        connection.execute(text(f"INSERT INTO {name} VALUES {nothing}"))
    for words in ("'a', 'b'", "'a', 'c'", "'c', 'a'"):
        found = match(connection, f"{words}, 60")
        assert len(found) > 40
        assert min(min(row[:2]) for row in found) >= 0
    for nothing in ("NULL", "'NaN'", "0", "-1"):
        assert match(connection, f"'a', 'c', {nothing}") == []


def test_an_empty_table_gives_nothing(connection: Connection) -> None:
    fill(connection, "a", around(6, 10.0, 0.0, 0.01, 10), index=True)
    fill(connection, "b", (np.zeros(0), np.zeros(0)), index=True)
    fill(connection, "c", (np.zeros(0), np.zeros(0)), index=False)
    for mode in ("all", "best", "mutual"):
        for words in ("'a', 'b'", "'b', 'a'", "'a', 'c'", "'c', 'a'", "'b', 'c'"):
            assert match(connection, f"{words}, 10, '{mode}'") == []


def test_views_odd_names_and_real_columns_are_taken(connection: Connection) -> None:
    a, b = two("across RA 0")
    fill(connection, "a", a, index=False)
    fill(connection, "small", b, index=False, kind="real")
    odd = '"My ""List; DROP TABLE visit"'
    connection.execute(text(f'CREATE TEMP TABLE {odd} AS SELECT id AS "Nr", ra AS "R A", dec AS "dec\'" FROM a'))
    connection.execute(text("CREATE TEMP VIEW v AS SELECT id AS object_id, ra - 360 AS ra, dec FROM small"))
    found = match(connection, f"'{odd}', 'v', 2.0, left_key => 'Nr', left_ra => 'R A', left_dec => 'dec'''")
    rounded = b[0].astype(np.float32).astype(float), b[1].astype(np.float32).astype(float)
    separation = 3600.0 * sphere.separation(a[0][:, None], a[1][:, None], *rounded)
    assert [row[:2] for row in found] == chosen(separation, 2.0, "all")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("'a', 'a', 1.0, 'nearest'", "none of all, best, mutual"),
        ("'a', 'a', 3601", "3600 at most"),
        ("'a', 'a', 1.0, left_ra => 'r'", r'no column "r" \(found: id, ra, dec\)'),
        ("'a', 'a', 1.0, left_key => 'ra'", "no whole number"),
        ("'a', 'nowhere', 1.0", "does not exist"),
        ("'a', 'a_pkey', 1.0", "no table or view"),
        ("'a', 'a', 1.0, right_dec => 'dec) OR (true'", "no column"),
    ],
)
def test_what_cannot_be_matched_is_refused_with_the_reason(connection: Connection, words: str, said: str) -> None:
    fill(connection, "a", around(6, 10.0, 0.0, 0.01, 10), index=True)
    with pytest.raises(Exception, match=said), connection.begin_nested():
        match(connection, words)


def test_settings_of_the_caller_are_as_before(connection: Connection) -> None:
    fill(connection, "a", around(6, 10.0, 0.0, 0.01, 10), index=True)
    ask = text(
        "SELECT current_setting('enable_hashjoin'), current_setting('enable_nestloop'), current_setting('work_mem')"
    )
    before = tuple(connection.execute(ask).one())
    match(connection, "'a', 'a', 1.0")
    assert tuple(connection.execute(ask).one()) == before


def moved(places: Places, pm: np.ndarray, years: Any) -> Places:
    """Great-circle motion [mas/yr], by rotation."""
    angle = np.hypot(*pm) * years / 3.6e6
    return sphere.offset(
        places[0], places[1], np.degrees(np.arctan2(pm[0], pm[1])), np.degrees(np.arctan(np.radians(angle)))
    )


@pytest.mark.parametrize("index", ["with", "without", "with, RA from -180 to 180"])
@pytest.mark.parametrize("story", ["a patch of sky", "across RA 0", "near the north pole", "the north pole"])
def test_moving_rows_are_found_where_they_will_be(connection: Connection, story: str, index: str) -> None:
    rng = np.random.default_rng(7)
    a = around(8, *STORIES[story], 120)
    pm = rng.normal(0, 1, (2, 120)) * np.where(np.arange(120) % 10 == 0, 8000.0, 100.0)
    pm[:, 5] = np.nan
    epoch, seen = rng.uniform(48000, 58000, 120), rng.uniform(56000, 60000, 150)
    epoch[6] = np.nan
    years = np.nan_to_num((seen[:120] - epoch) / 365.25)
    true = moved(a, np.nan_to_num(pm), years)
    b = sphere.offset(true[0], true[1], rng.uniform(0, 360, 120), rng.uniform(0, 1.5, 120) / 3600.0)
    b = tuple(np.concatenate(pair) for pair in zip(b, around(9, *STORIES[story], 30), strict=True))
    fill(connection, "a", a, index=False)
    fill(connection, "b", signed(b) if "RA" in index else b, index=index != "without")
    connection.execute(
        text("ALTER TABLE a ADD pm_ra_mas_yr real, ADD pm_dec_mas_yr real, ADD epoch_mjd double precision")
    )
    connection.execute(text("ALTER TABLE b ADD obs_mjd double precision"))
    pm = pm.astype(np.float32).astype(float)
    for number in range(120):
        words = {"i": number, "x": pm[0, number], "y": pm[1, number], "e": epoch[number]}
        words |= {"e": None} if number == 6 else {}
        connection.execute(
            text("UPDATE a SET pm_ra_mas_yr = :x, pm_dec_mas_yr = :y, epoch_mjd = :e WHERE id = :i"), words
        )
    connection.execute(
        text(
            "UPDATE b SET obs_mjd = t.e FROM unnest(CAST(:e AS float8[])) WITH ORDINALITY AS t(e, n) WHERE id = n - 1"
        ),
        {"e": seen.tolist()},
    )
    span = np.nan_to_num((seen[None, :] - epoch[:, None]) / 365.25)
    separation = np.empty((120, 150))
    for number in range(150):
        at = moved(a, np.nan_to_num(pm), span[:, number])
        separation[:, number] = 3600.0 * sphere.separation(at[0], at[1], b[0][number], b[1][number])
    found = sorted(tuple(row) for row in connection.execute(text("SELECT * FROM xmatch_moving('a', 'b', 1.0)")))
    assert [row[:2] for row in found] == chosen(separation, 1.0, "all")
    assert len(found) >= 60
    np.testing.assert_allclose([row[2] for row in found], [separation[row[:2]] for row in found], atol=1e-7)
    best = sorted(
        tuple(row)[:2] for row in connection.execute(text("SELECT * FROM xmatch_moving('a', 'b', 1.0, 'mutual')"))
    )
    assert best == chosen(separation, 1.0, "mutual")


def test_a_moved_place_is_that_of_the_great_circle(connection: Connection) -> None:
    a = around(10, 10.0, 80.0, 60.0, 50)
    pm = np.random.default_rng(11).normal(0, 5000, (2, 50))
    arrays = ", ".join(f"CAST(:{name} AS float8[])" for name in "rdxy")
    words = {"r": a[0].tolist(), "d": a[1].tolist(), "x": pm[0].tolist(), "y": pm[1].tolist()}
    statement = (
        f"SELECT sky_moved(r, d, x, y, -30) FROM unnest({arrays}) WITH ORDINALITY AS t(r, d, x, y, n) ORDER BY n"
    )
    found = np.array([row[0] for row in connection.execute(text(statement), words)]).T
    wanted = moved(a, -pm, 30.0)
    np.testing.assert_allclose(3600.0 * sphere.separation(*found, *wanted), 0.0, atol=1e-9)


def test_epochs_in_years_are_refused(connection: Connection) -> None:
    """Not taken as MJD: every star would be moved by a century."""
    columns = "id bigint, ra float8, dec float8, pm_ra_mas_yr float8, pm_dec_mas_yr float8"
    connection.execute(text(f"CREATE TEMP TABLE gaia ({columns}, epoch_mjd float8)"))
    connection.execute(text("CREATE TEMP TABLE seen (id bigint, ra float8, dec float8, obs_mjd float8)"))
    connection.execute(text("INSERT INTO gaia VALUES (1, 10, 5, 0, 3600, 2016.0)"))
    connection.execute(text("INSERT INTO seen VALUES (7, 10, 5.01, 61041.0)"))
    match = text("SELECT left_id, right_id FROM xmatch_moving('gaia', 'seen', 1.0)")
    with pytest.raises(Exception, match=r"epoch: 2016 is a year \(needed: MJD\)"), connection.begin_nested():
        connection.execute(match)
    connection.execute(text("UPDATE gaia SET epoch_mjd = 51544.5 + (epoch_mjd - 2000) * 365.25"))
    assert connection.execute(match).all() == [(1, 7)]
