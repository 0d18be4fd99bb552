"""What every table and view must have: units and text on each column, and names that any SQL dialect takes."""

from sqlalchemy import Connection, text

# Reserved in SQL-92 or by the ADQL grammar; DEC is left out there, and PostgreSQL takes it.
RESERVED = set(
    """
    ABS ACOS AREA ASIN ATAN ATAN2 BOX CEILING CENTROID CIRCLE CONTAINS COORD1 COORD2 COORDSYS COS DEGREES DISTANCE EXP
    FLOOR INTERSECTS LOG LOG10 MOD PI POINT POLYGON POWER RADIANS REGION RAND ROUND SIN SQRT TAN TOP TRUNCATE
    ABSOLUTE ACTION ADD ALL ALLOCATE ALTER AND ANY ARE AS ASC ASSERTION AT AUTHORIZATION AVG BEGIN BETWEEN BIT
    BIT_LENGTH BOTH BY CASCADE CASCADED CASE CAST CATALOG CHAR CHARACTER CHAR_LENGTH CHARACTER_LENGTH CHECK CLOSE
    COALESCE COLLATE COLLATION COLUMN COMMIT CONNECT CONNECTION CONSTRAINT CONSTRAINTS CONTINUE CONVERT CORRESPONDING
    COUNT CREATE CROSS CURRENT CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER CURSOR DATE DAY DEALLOCATE
    DECIMAL DECLARE DEFAULT DEFERRABLE DEFERRED DELETE DESC DESCRIBE DESCRIPTOR DIAGNOSTICS DISCONNECT DISTINCT DOMAIN
    DOUBLE DROP ELSE END ESCAPE EXCEPT EXCEPTION EXEC EXECUTE EXISTS EXTERNAL EXTRACT FALSE FETCH FIRST FLOAT FOR
    FOREIGN FOUND FROM FULL GET GLOBAL GO GOTO GRANT GROUP HAVING HOUR IDENTITY IMMEDIATE IN INDICATOR INITIALLY INNER
    INPUT INSENSITIVE INSERT INT INTEGER INTERSECT INTERVAL INTO IS ISOLATION JOIN KEY LANGUAGE LAST LEADING LEFT LEVEL
    LIKE LOCAL LOWER MATCH MAX MIN MINUTE MODULE MONTH NAMES NATIONAL NATURAL NCHAR NEXT NO NOT NULL NULLIF NUMERIC
    OCTET_LENGTH OF ON ONLY OPEN OPTION OR ORDER OUTER OUTPUT OVERLAPS PAD PARTIAL POSITION PRECISION PREPARE PRESERVE
    PRIMARY PRIOR PRIVILEGES PROCEDURE PUBLIC READ REAL REFERENCES RELATIVE RESTRICT REVOKE RIGHT ROLLBACK ROWS SCHEMA
    SCROLL SECOND SECTION SELECT SESSION SESSION_USER SET SIZE SMALLINT SOME SPACE SQL SQLCODE SQLERROR SQLSTATE
    SUBSTRING SUM SYSTEM_USER TABLE TEMPORARY THEN TIME TIMESTAMP TIMEZONE_HOUR TIMEZONE_MINUTE TO TRAILING TRANSACTION
    TRANSLATE TRANSLATION TRIM TRUE UNION UNIQUE UNKNOWN UPDATE UPPER USAGE USER USING VALUE VALUES VARCHAR VARYING VIEW
    WHEN WHENEVER WHERE WITH WORK WRITE YEAR ZONE
    """.split()
)


def test_every_column_has_a_unit_an_ucd_and_a_meaning(connection: Connection) -> None:
    rows = connection.execute(text("SELECT table_name, column_name FROM column_doc WHERE meaning IS NULL")).all()
    assert [f"{table}.{column}" for table, column in rows] == []


def test_every_table_and_view_says_what_a_row_is(connection: Connection) -> None:
    rows = connection.execute(text("SELECT DISTINCT table_name FROM column_doc WHERE table_meaning IS NULL")).all()
    assert [row[0] for row in rows] == []


def test_an_undocumented_column_is_noticed(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE visit ADD COLUMN extra_mag real"))
    rows = connection.execute(text("SELECT table_name, column_name FROM column_doc WHERE meaning IS NULL")).all()
    assert [tuple(row) for row in rows] == [("visit", "extra_mag")]


def test_no_name_is_a_reserved_word(connection: Connection) -> None:
    rows = connection.execute(text("SELECT table_name, column_name FROM column_doc")).all()
    bad = {name for row in rows for name in row if name.upper() in RESERVED}
    assert bad == set()


def test_no_float_column_takes_nan(connection: Connection) -> None:
    """Every stored number is of a domain that refuses NaN and infinities."""
    rows = connection.execute(
        text(
            "SELECT c.relname, a.attname FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid"
            " WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped"
            " AND c.relnamespace = CAST(current_schema() AS regnamespace)"
            " AND a.atttypid IN (CAST('float4' AS regtype), CAST('float8' AS regtype),"
            " CAST('float4[]' AS regtype), CAST('float8[]' AS regtype))"
        )
    ).all()
    assert [tuple(row) for row in rows] == []


def test_column_doc_splits_the_comment(connection: Connection) -> None:
    row = connection.execute(
        text(
            "SELECT unit, ucd, meaning, type_name, is_nullable FROM column_doc"
            " WHERE table_name = 'visit' AND column_name = 'obs_mjd'"
        )
    ).one()
    assert tuple(row) == ("d", "time.epoch", "MJD, TAI, middle of the exposure", "double precision", True)


def test_everything_is_granted_to_readers_or_withheld_on_purpose(connection: Connection) -> None:
    withheld = {"schema_text"}
    rows = connection.execute(
        text(
            "SELECT DISTINCT table_name FROM column_doc"
            " WHERE EXISTS (SELECT FROM pg_roles WHERE rolname = 'hscdb_reader')"
            " AND NOT has_table_privilege('hscdb_reader', table_name, 'SELECT')"
        )
    ).all()
    assert {row[0] for row in rows} - withheld == set()


def test_the_flag_bits_of_the_code_are_in_the_database(connection: Connection) -> None:
    from hscdb.image import flags, mask

    rows = connection.execute(text("SELECT kind, name, bit_number FROM flag_doc")).all()
    assert {tuple(row) for row in rows} == {("source", n, b) for n, b, _ in flags.FLAGS} | {
        ("pixel", n, b) for n, b, _ in mask.PLANES
    }
