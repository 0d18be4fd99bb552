"""Bulk copy: what goes in comes out, NaN and None become NULL, nothing is rounded in silence."""

import datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from hscdb.db import copy, header, queries, types
from hscdb.errors import SchemaError

COLUMNS = {"a": "bigint", "b": "finite8", "c": "finite4", "d": "text", "e": "boolean", "f": "date",
           "g": "timestamptz", "h": "smallint", "i": "integer"}  # fmt: skip
DTYPE = [("a", "i8"), ("b", "f8"), ("c", "f4"), ("d", "U8"), ("e", "?"), ("f", "M8[D]"), ("g", "M8[us]"), ("h", "i2"),
         ("i", "i4")]  # fmt: skip


def make(connection: Connection, columns: dict[str, str] = COLUMNS) -> None:
    connection.execute(text(f"CREATE TEMP TABLE bulk ({', '.join(f'{n} {t}' for n, t in columns.items())})"))


def rows(connection: Connection) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in connection.execute(text("SELECT * FROM bulk")).all()]


def single(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """The third column, a real, as such: the driver gives the shortest decimal number that names it."""
    return (*row[:2], None if row[2] is None else np.float32(row[2]), *row[3:])


def query_of(returns: dict[str, str], body: str) -> queries.Query:
    declared = ", ".join(f"{name} {kind}" for name, kind in returns.items())
    parsed = header.parse("x/read_bulk", f"-- B.\n-- params: none\n-- returns: {declared}\n{body}")
    return queries.Query(parsed, text(header.for_sqlalchemy(parsed)), types.row_dtype(returns))


entries = st.tuples(
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_infinity=False),
    st.floats(allow_infinity=False, width=32),
    st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=8),
    st.booleans(),
    st.dates(datetime.date(1, 1, 1), datetime.date(9999, 12, 31)).map(lambda day: np.datetime64(day, "D")),
    st.datetimes(datetime.datetime(1, 1, 1), datetime.datetime(9999, 12, 31)).map(lambda at: np.datetime64(at, "us")),
    st.integers(-(2**15), 2**15 - 1),
    st.integers(-(2**31), 2**31 - 1),
)


def expected(entry: tuple[Any, ...]) -> tuple[Any, ...]:
    a, b, c, d, e, f, g, h, i = entry
    return (a, None if b != b else b, None if c != c else np.float32(c), d.rstrip("\0"), e, f.item(),
            g.item().replace(tzinfo=datetime.UTC), h, i)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(entries, max_size=30))
def test_whatever_goes_in_comes_out(connection: Connection, listed: list[tuple[Any, ...]]) -> None:
    with connection.begin_nested() as point:
        make(connection)
        assert copy.write(connection, "bulk", np.array(listed, dtype=DTYPE)) == len(listed)
        assert [single(row) for row in rows(connection)] == [expected(entry) for entry in listed]
        point.rollback()


def test_nan_none_nat_and_masked_are_null(connection: Connection) -> None:
    make(connection)
    array = np.ma.zeros(4, dtype=[(n, "O" if n in "dgi" else t) for n, t in DTYPE])
    array["b"], array["c"] = [1, np.nan, 3, np.nan], np.nan
    array["d"] = ["x", None, "", None]
    array["f"] = np.array(["2020-02-29", "NaT", "NaT", "1999-12-31"], "M8[D]")
    tokyo = datetime.timezone(datetime.timedelta(hours=9))
    array["g"] = [None, datetime.datetime(2020, 1, 1, 9, tzinfo=tokyo), None, None]
    array["i"] = [None, 1, 2, 3]
    array["h"] = np.ma.masked_equal([0, 5, 0, 6], 0)
    copy.write(connection, "bulk", array)
    assert [row[1:] for row in rows(connection)] == [
        (1.0, None, "x", False, datetime.date(2020, 2, 29), None, None, None),
        (None, None, None, False, None, datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC), 5, 1),
        (3.0, None, "", False, None, None, None, 2),
        (None, None, None, False, datetime.date(1999, 12, 31), None, 6, 3),
    ]


def test_an_integer_may_stand_for_null(connection: Connection) -> None:
    make(connection)
    array = np.zeros(3, dtype=[("a", "i8"), ("i", "i4")])
    array["a"] = [(903334 * 200 + 50) << 32, 0, 7]
    assert copy.write(connection, "bulk", array, nulls={"a": 0}) == 3
    assert [row[0] for row in rows(connection)] == [(903334 * 200 + 50) << 32, None, 7]


@pytest.mark.parametrize("missing", [-1, -(2**15), 2**15 - 1, 2**40])
def test_any_integer_may_stand_for_null_in_any_width(connection: Connection, missing: int) -> None:
    make(connection)
    array = np.array(
        [(-1,) * 3, (-(2**15),) * 3, (2**15 - 1,) * 3, (0,) * 3], dtype=[("a", "i8"), ("h", "i2"), ("i", "i4")]
    )
    array["a"][3] = 2**40
    copy.write(connection, "bulk", array, nulls=dict.fromkeys("ahi", missing))
    wanted = [tuple(None if entry == missing else entry for entry in row) for row in array.tolist()]
    assert [(row[0], row[7], row[8]) for row in rows(connection)] == wanted


@pytest.mark.parametrize("kind", ["f4", "f8"])
def test_every_nan_is_null_and_no_other_number_is(connection: Connection, kind: str) -> None:
    make(connection)
    array = np.zeros(8, dtype=[("b", kind), ("c", kind)])
    bits = array["b"].view(f"u{kind[1]}")
    top = 1 << (8 * bits.itemsize - 1)  # the sign
    infinite = int(np.array(np.inf, kind).view(bits.dtype))
    bits[:] = [0, top, infinite - 1, top | infinite - 1, infinite + 1, top | infinite + 1, 2 * top - 1, 1]
    array["c"] = array["b"] if kind == "f4" else 0
    copy.write(connection, "bulk", array)
    found = [row[1] for row in rows(connection)]
    assert found == [None if entry != entry else entry for entry in array["b"].tolist()]
    assert found.count(None) == 3
    assert [row[2] is None for row in rows(connection)] == np.isnan(array["c"]).tolist()


def test_an_array_may_lie_in_memory_as_it_likes(connection: Connection) -> None:
    make(connection)
    fields = {
        "names": ["b", "i", "e", "a"],
        "formats": [">f8", "<i4", "?", "<i2"],
        "offsets": [3, 17, 11, 30],
        "itemsize": 37,
    }
    array = np.zeros(60, dtype=np.dtype(fields))[::-3]
    array["b"], array["i"], array["e"], array["a"] = (
        np.arange(20) / 7,
        np.arange(20) - 9,
        np.arange(20) % 3 == 0,
        np.arange(20) * 7,
    )
    copy.write(connection, "bulk", array)
    assert [(row[1], row[8], row[4], row[0]) for row in rows(connection)] == array.tolist()


def test_columns_that_are_not_named_get_their_default(connection: Connection) -> None:
    make(connection, {"a": "bigint GENERATED ALWAYS AS IDENTITY", "b": "double precision DEFAULT 5", "i": "integer"})
    copy.write(connection, "bulk", np.array([(3,), (4,)], dtype=[("i", "i8")]))
    assert rows(connection) == [(1, 5.0, 3), (2, 5.0, 4)]


def test_json_and_arrays_go_row_by_row(connection: Connection) -> None:
    make(connection, {"a": "bigint", "j": "jsonb", "v": "finite4[]", "d": "text", "b": "finite8"})
    array = np.zeros(2, dtype=[("a", "i8"), ("j", "O"), ("v", "O"), ("d", "U9"), ("b", "f8")])
    array["j"] = [{"x": [1, None]}, None]
    array["v"] = [np.array([1.5, np.nan], np.float32), None]
    array["d"] = ["tab\tand\\n", "\\N"]
    array["b"] = [np.nan, 1e300]
    copy.write(connection, "bulk", array)
    found = connection.execute(text("SELECT a, j, CAST(v AS real[]), d, b FROM bulk")).all()
    assert [tuple(row) for row in found] == [
        (0, {"x": [1, None]}, [1.5, None], "tab\tand\\n", None),
        (0, None, None, "\\N", 1e300),
    ]


@pytest.mark.parametrize(
    ("field", "kind", "entry"),
    [("i", "i8", 2**31), ("i", "f8", 0.5), ("a", "f8", 2.0**60), ("h", "u2", 2**15), ("e", "i4", 2),
     ("a", "u8", 2**63)],
)  # fmt: skip
def test_what_does_not_fit_is_refused(connection: Connection, field: str, kind: str, entry: Any) -> None:
    make(connection)
    with pytest.raises(ValueError, match=f"column {field}"):
        copy.write(connection, "bulk", np.array([(entry,)], dtype=[(field, kind)]))


def test_a_wrong_field_is_named(connection: Connection) -> None:
    make(connection)
    with pytest.raises(SchemaError, match="no column zz"):
        copy.write(connection, "bulk", np.zeros(1, dtype=[("a", "i8"), ("zz", "f8")]))


def test_many_chunks_keep_their_order(connection: Connection) -> None:
    make(connection)
    rng = np.random.default_rng(1)
    array = np.zeros(12345, dtype=[("i", "i4"), ("b", "f8"), ("d", "U5")])
    array["i"] = np.arange(len(array))
    array["b"] = np.where(rng.random(len(array)) < 0.3, np.nan, rng.normal(size=len(array)))
    array["d"] = rng.choice(["", "a", "bcd", "é", "ggggg"], len(array))
    copy.write(connection, "bulk", array)
    body = "SELECT i, b FROM bulk ORDER BY i"
    query = query_of({"i": "integer", "b": "double precision"}, body)
    for got in (query(connection), copy.read(connection, query)):
        np.testing.assert_array_equal(got["i"], array["i"])
        np.testing.assert_array_equal(got["b"], array["b"])
    texts = query_of({"d": "text"}, "SELECT d FROM bulk ORDER BY i")
    assert copy.read(connection, texts)["d"].tolist() == array["d"].tolist()


def test_a_bulk_read_equals_a_call(connection: Connection) -> None:
    make(connection)
    array = np.array([(1, np.nan, 2.5), (-5, 0.1, np.nan)], dtype=[("a", "i8"), ("b", "f8"), ("c", "f4")])
    copy.write(connection, "bulk", array)
    query = query_of({"a": "bigint", "b": "double precision", "c": "real", "e": "boolean"},
                     "SELECT a, b, c, a > 0 AS e FROM bulk ORDER BY a")  # fmt: skip
    called, copied = query(connection), copy.read(connection, query)
    assert copied.dtype == called.dtype
    for name in called.dtype.names:
        np.testing.assert_array_equal(copied[name], called[name])
    assert len(copy.read(connection, query_of({"a": "bigint"}, "SELECT a FROM bulk WHERE a = 99 ORDER BY a"))) == 0


def test_null_in_an_integer_column_is_an_error(connection: Connection) -> None:
    make(connection)
    copy.write(connection, "bulk", np.zeros(2, dtype=[("b", "f8")]))
    query = query_of({"a": "bigint"}, "SELECT a FROM bulk ORDER BY a")
    for call in (query, lambda where: copy.read(where, query)):
        with pytest.raises(SchemaError) as caught:
            call(connection)
        assert caught.value.code == "null_column"


def test_an_empty_text_of_bytes_can_stand_for_null(connection):
    connection.execute(text("CREATE TEMP TABLE told (n bigint, reason text)"))
    rows = np.array([(1, b"outlier"), (2, b""), (3, b"no")], [("n", "i8"), ("reason", "S7")])
    copy.write(connection, "told", rows, {"reason": b""})
    copy.write(connection, "told", rows[1:2])
    found = connection.execute(text("SELECT n, reason FROM told ORDER BY n, reason")).all()
    assert [tuple(row) for row in found] == [(1, "outlier"), (2, ""), (2, None), (3, "no")]
