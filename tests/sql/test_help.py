"""What the database says of its functions: complete, with units, and the same on the page of the folder schema."""

import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from hscdb.cli import functions
from hscdb.db.engine import folder
from hscdb.db.queries import query

UNIT = re.compile(r"\[(deg2?|arcsec|arcmin|sr|pix|d, MJD|mag|nJy|mas|mas/yr)\]|of RA|[Dd]egrees")


@pytest.fixture
def rows(connection: Connection) -> Any:
    if connection.execute(text("SELECT count(*) FROM pg_extension WHERE extname = 'q3c'")).scalar():
        pytest.skip("the page is of our own q3c_ functions, and this database has Q3C's")
    return query("run/read_functions")(connection, pattern="%")


def test_the_page_of_functions_is_that_of_the_database(rows: Any) -> None:
    written = Path(folder("schema"), "FUNCTIONS.md").read_text(encoding="utf-8")
    assert written == "\n".join(functions.page(rows)) + "\n", "hscdb db functions REPO --markdown > schema/FUNCTIONS.md"


def test_every_form_of_a_function_has_one_example_that_calls_it(rows: Any) -> None:
    forms = [(row["name"], row["arguments"]) for row in rows]
    assert sorted(set(forms)) == sorted(forms)
    for row in rows:
        assert re.search(rf"\b{row['name']}\s*\(", row["example"], re.IGNORECASE), row["name"]
        if row["arguments"].startswith("coord skycoord"):
            assert "coord" in row["example"].split("(", 1)[1] or "hsc_star" in row["example"]


def test_functions_of_places_and_brightness_name_their_units(rows: Any) -> None:
    told = 0
    for row in rows:
        if re.search(r"\b(p_)?(ra\d?|radius\w*|flux\w*|mag|deg|nx)\b|_pix\b", row["arguments"]):
            assert UNIT.search(row["meaning"]), (row["name"], row["meaning"])
            told += 1
    assert told > 50


def test_names_are_written_with_their_capitals(rows: Any) -> None:
    names = {functions.signature(row).partition("(")[0] for row in rows}
    assert {"coneSearch", "fGetNearbyObjEq", "q3c_join", "weighted_mean"} <= names
    assert not any("double precision" in functions.signature(row) for row in rows)
