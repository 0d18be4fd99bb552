"""Every file of sql/ is prepared by the server: its parameters and columns have the types that its header declares."""

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Connection, text

from hscdb.db import header, queries, types
from hscdb.db.engine import driver
from hscdb.errors import SchemaError


def columns_of(raw: psycopg.Connection, statement: header.Statement) -> dict[str, str] | None:
    """Names and types of the columns that the server gives for a statement; None if it gives no rows."""
    result = raw.pgconn.describe_prepared(b"contract")
    if not result.nfields:
        return None
    names = [(result.fname(index) or b"").decode() for index in range(result.nfields)]
    oids = [result.ftype(index) for index in range(result.nfields)]
    kinds = [raw.execute("SELECT format_type(%s, NULL)", [oid]).fetchone()[0] for oid in oids]
    return dict(zip(names, kinds, strict=True))


INTEGERS = ("smallint", "integer", "bigint")
FLOATS = ("real", "double precision")


def fits(declared: str, taken: str) -> bool:
    """Whether a header may declare so what the server knows as that: the same type, or a wider one of the same kind
    (results are widened, parameters narrowed on assignment); never a narrower one, which would overflow."""
    if declared.endswith("[]") and taken.endswith("[]"):
        return fits(declared.removesuffix("[]"), taken.removesuffix("[]"))
    for family in (INTEGERS, FLOATS):
        if taken in family:
            return declared in family and family.index(declared) >= family.index(taken)
    return declared == taken


def prepare(raw: psycopg.Connection, body: str) -> list[str]:
    """Prepare a body as `contract`; the types of its parameters."""
    raw.execute(sql.SQL("PREPARE contract AS ") + sql.SQL(body))
    row = raw.execute(
        "SELECT CAST(parameter_types AS text[]) FROM pg_prepared_statements WHERE name = 'contract'"
    ).fetchone()
    return row[0]


def columns(raw: psycopg.Connection, statement: header.Statement) -> tuple[dict[str, str] | None, str]:
    """What the statement as it is executed, parameters cast to their types, gives; else the server's complaint."""
    order = {name: f"CAST(${number} AS {statement.params[name]})" for number, name in enumerate(statement.params, 1)}
    try:
        with raw.transaction(force_rollback=True):
            prepare(raw, header.with_binds(statement, order))
            found = columns_of(raw, statement)
            raw.execute("DEALLOCATE contract")
            return found, ""
    except psycopg.Error as error:
        return None, str(error)


def taken_types(raw: psycopg.Connection, statement: header.Statement) -> list[str]:
    """What types the server would give the parameters by itself; [] where it cannot tell."""
    order = {name: f"${number}" for number, name in enumerate(statement.params, 1)}
    try:
        with raw.transaction(force_rollback=True):
            found = prepare(raw, header.with_binds(statement, order))
            raw.execute("DEALLOCATE contract")
            return found
    except psycopg.Error:
        return []


def disagreements(raw: psycopg.Connection, statement: header.Statement) -> list[str]:
    """What header and server say differently on a statement; [] if all is well."""
    found, complaint = columns(raw, statement)
    if complaint:
        return [complaint]
    wrong = [
        f":{name} is declared {kind}, the statement takes {server}"
        for (name, kind), server in zip(statement.params.items(), taken_types(raw, statement), strict=False)
        if not fits(types.base(kind), types.base(server))
    ]
    if statement.returns is None:
        return wrong
    declared = {name: types.base(kind) for name, kind in statement.returns.items()}
    if found is None or declared.keys() != found.keys():
        wrong.append(f"returns {list(found or {})}, declared {list(declared)}")
        return wrong
    wrong += [
        f"{name} is {found[name]}, declared {kind}"
        for name, kind in declared.items()
        if not fits(kind, types.base(found[name]))
    ]
    if list(declared) != list(found):
        wrong.append(f"columns come in the order {list(found)}")
    return wrong


def make_work_tables(connection: Connection, stage: str) -> None:
    """Make the temporary tables a stage works on, if it has any."""
    if f"{stage}/replace_work" in queries.names():
        queries.query(f"{stage}/replace_work")(connection)


@pytest.mark.parametrize("name", queries.names())
def test_header_and_server_agree_on(name: str, connection: Connection) -> None:
    make_work_tables(connection, name.partition("/")[0])
    assert disagreements(driver(connection), queries.query(name).parsed) == []


@pytest.mark.parametrize("name", queries.names())
def test_a_read_has_an_order(name: str) -> None:
    statement = queries.query(name).parsed
    if name.split("/")[1].startswith("read_"):
        assert "ORDER BY" in statement.sql


GOOD = """-- Visits of a band.
-- params:  band text, night_min date
-- returns: visit bigint, exposure_s double precision
SELECT v.visit, v.exposure_s FROM visit AS v WHERE v.band = :band AND v.night >= :night_min ORDER BY v.visit;
"""


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("band text", "band integer", "text = integer"),
        ("visit bigint", "visit integer", "visit is bigint"),
        ("v.visit, v.exposure_s", "v.exposure_s, v.visit", "order"),
        ("v.band", "v.colour", "does not exist"),
    ],
)
def test_a_planted_fault_is_found(old: str, new: str, complaint: str, connection: Connection) -> None:
    assert disagreements(driver(connection), header.parse("x/read_visits", GOOD)) == []
    wrong = disagreements(driver(connection), header.parse("x/read_visits", GOOD.replace(old, new)))
    assert complaint in " ".join(wrong)


def test_a_parameter_narrower_than_its_column_is_found(connection: Connection) -> None:
    source = "-- D.\n-- params: visit {}\n-- returns: count\nDELETE FROM visit AS v WHERE v.visit = :visit"
    assert disagreements(driver(connection), header.parse("x/delete_visit", source.format("bigint"))) == []
    wrong = disagreements(driver(connection), header.parse("x/delete_visit", source.format("integer")))
    assert wrong == [":visit is declared integer, the statement takes bigint"]


def test_the_loader_refuses_what_it_cannot_bind() -> None:
    unknown, unused, two = "SELECT :y AS a", "SELECT 1 AS a", "SELECT :x AS a; SELECT 2"
    for body in ("SELECT :x::integer AS a", unknown, unused, two, "SELECT x[1:2], :x"):
        with pytest.raises(SchemaError) as caught:
            header.parse("x/read_a", f"-- A.\n-- params: x integer\n-- returns: a integer\n{body}")
        assert caught.value.code == "bad_query"


def test_quotes_and_comments_hold_no_parameters(connection: Connection) -> None:
    source = (
        "-- At 12:30.\n-- params: x integer\n-- returns: a text, b integer\n"
        "SELECT 'say :y and 50%' AS a, /* :z */ :x AS b -- :w\n WHERE 5 % 2 = 1 ORDER BY 1;"
    )
    statement = header.parse("x/read_a", source)
    query = queries.Query(
        statement, text(header.for_sqlalchemy(statement)), types.row_dtype(statement.returns or {})
    )
    assert query(connection, x=3).tolist() == [("say :y and 50%", 3)]
