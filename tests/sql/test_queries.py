"""Statements of sql/: what goes in as parameters, what comes out as arrays."""

import datetime

import numpy as np
import pytest
from sqlalchemy import Connection, text

from hscdb.db import copy, header, queries, types
from hscdb.errors import SchemaError


def query_of(source: str, name: str = "x/read_a") -> queries.Query:
    parsed = header.parse(name, source)
    return queries.Query(parsed, text(header.for_sqlalchemy(parsed)), types.row_dtype(parsed.returns or {}))


def test_columns_have_the_types_of_the_header(connection: Connection) -> None:
    query = query_of(
        "-- A.\n-- params: none\n-- returns: a smallint, b real, c double precision, d boolean, e text, f jsonb,\n"
        "--           g integer[], h date\n"
        "SELECT CAST(1 AS smallint) AS a, CAST(0.1 AS real) AS b, NULL AS c, true AS d, NULL AS e, "
        "CAST('{\"k\": [1]}' AS jsonb) AS f, ARRAY[1, 2] AS g, CAST('2020-02-29' AS date) AS h ORDER BY 1"
    )
    row = query(connection)[0]
    assert row.dtype == np.dtype(
        [("a", "i2"), ("b", "f4"), ("c", "f8"), ("d", "?"), ("e", "O"), ("f", "O"), ("g", "O"), ("h", "O")]
    )
    assert row["b"] == np.float32(0.1)
    assert np.isnan(row["c"])
    assert (row["e"], row["f"], row["g"], row["h"]) == (None, {"k": [1]}, [1, 2], datetime.date(2020, 2, 29))


def test_arrays_of_our_domains_come_as_lists(connection: Connection) -> None:
    query = query_of(
        "-- A.\n-- params: none\n-- returns: a double precision[], b real[], c double precision[]\n"
        "SELECT CAST(ARRAY[1, NULL, 2.5] AS finite8[]) AS a, CAST('{}' AS finite4[]) AS b, NULL AS c"
    )
    assert tuple(query(connection)[0]) == ([1.0, None, 2.5], [], None)


def test_a_real_read_as_double_is_the_number_that_is_stored(connection: Connection) -> None:
    body = "-- A.\n-- params: none\n-- returns: x double precision\nSELECT CAST(0.1 AS real) AS x ORDER BY 1"
    assert query_of(body)(connection)["x"][0] == float(np.float32(0.1))
    assert copy.read(connection, query_of(body))["x"][0] == float(np.float32(0.1))


def test_numpy_goes_in(connection: Connection) -> None:
    query = query_of(
        "-- A.\n-- params: i bigint, x double precision, v double precision[], w bigint[], s text, j jsonb, b boolean\n"
        "-- returns: i bigint, x double precision, v double precision[], n bigint, s text, k text, b boolean\n"
        "SELECT :i AS i, :x AS x, :v AS v, cardinality(:w) AS n, :s AS s, :j ->> 'k' AS k, :b AS b"
    )
    row = query(connection, i=np.uint16(7), x=np.float32(0.5), v=np.array([1.0, np.nan]), w=np.array([], np.int64),
                s=np.str_("it's :x 50%"), j={"k": "é"}, b=np.True_)[0]  # fmt: skip
    assert tuple(row) == (7, 0.5, [1.0, None], 0, "it's :x 50%", "é", True)
    row = query(connection, i=1.0, x=np.nan, v=None, w=(1, 2), s=None, j=None, b=False)[0]
    assert np.isnan(row["x"])
    assert (row["v"], row["n"], row["s"], row["k"]) == (None, 2, None, None)


def test_wrong_parameters_are_named(connection: Connection) -> None:
    query = query_of("-- A.\n-- params: i bigint\n-- returns: i bigint\nSELECT :i AS i")
    with pytest.raises(TypeError, match="missing: i; unknown: j"):
        query(connection, j=1)


def test_counts_and_many(connection: Connection) -> None:
    connection.execute(text("CREATE TEMP TABLE t (i bigint, x finite8, s text, j jsonb)"))
    insert = query_of(
        "-- A.\n-- params: i bigint, x double precision, s text, j jsonb\n-- returns: count\n"
        "INSERT INTO t (i, x, s, j) VALUES (:i, :x, :s, :j)",
        "x/insert_t",
    )
    rows = np.zeros(3, dtype=[("i", "i4"), ("x", "f4"), ("j", "O")])
    rows["i"], rows["x"], rows["j"] = [1, 2, 3], [0.5, np.nan, 1], [{"a": 1}, None, []]
    assert insert.many(connection, rows, s="all") == 3
    assert insert.many(connection, rows[:0], s="all") == 0
    found = connection.execute(text("SELECT * FROM t ORDER BY i")).all()
    assert [tuple(row) for row in found] == [(1, 0.5, "all", {"a": 1}), (2, None, "all", None), (3, 1.0, "all", [])]
    delete = query_of("-- A.\n-- params: n bigint\n-- returns: count\nDELETE FROM t WHERE i <= :n", "x/delete_t")
    assert delete(connection, n=2) == 2


def test_one_gives_a_row_or_none(connection: Connection) -> None:
    query = query_of(
        "-- A.\n-- params: n bigint\n-- returns: i bigint\nSELECT i FROM generate_series(1, :n) AS s (i) ORDER BY i"
    )
    assert query.one(connection, n=0) is None
    assert query.one(connection, n=1)["i"] == 1
    with pytest.raises(SchemaError) as caught:
        query.one(connection, n=2)
    assert caught.value.code == "many_rows"


def test_other_columns_than_declared_are_refused(connection: Connection) -> None:
    query = query_of("-- A.\n-- params: none\n-- returns: i bigint\nSELECT 1 AS j")
    with pytest.raises(SchemaError, match="gives columns j, but its header says i"):
        query(connection)


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("SELECT 1 AS a", "first line"),
        ("-- A\n-- params: none\n-- returns: count\nSELECT 1", "period"),
        ("-- A.\n-- returns: count\nSELECT 1", "no `-- params:`"),
        ("-- A.\n-- params: none\nSELECT 1", "no `-- returns:`"),
        ("-- A.\n-- params: x\n-- returns: count\nSELECT :x", "`name type`"),
        ("-- A.\n-- params: x text, x text\n-- returns: count\nSELECT :x", "twice"),
    ],
)
def test_a_bad_header_is_refused(source: str, complaint: str) -> None:
    with pytest.raises(SchemaError, match=complaint):
        header.parse("x/read_a", source)


def test_names_begin_with_a_known_verb() -> None:
    with pytest.raises(SchemaError, match="begins with 'get'"):
        header.parse("x/get_a", "-- A.\n-- params: none\n-- returns: count\nSELECT 1")


def test_a_missing_file_is_named() -> None:
    with pytest.raises(SchemaError) as caught:
        queries.query("match/read_nothing")
    assert caught.value.code == "no_query"
