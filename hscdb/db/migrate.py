"""schema/*.sql -> database: numbered files in order, once each; functions, views and grants when their text changes.

All of an upgrade is one transaction under an advisory lock: several programs may try at once, one applies, and an
error leaves no trace. The ledger is the table schema_version; functions, views and grants stand in schema_text.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import errors
from sqlalchemy import Connection, Engine, text

from hscdb.db.engine import driver, folder
from hscdb.errors import SchemaError
from hscdb.image import flags, mask

_LOCK = 0x68736364  # "hscd"
Q3C_OLDEST = (2, 0, 5)  # earlier ones mishandle NULL, negative radii and radii just below 35 deg
_LEDGER = """
CREATE TABLE IF NOT EXISTS schema_version (
    version     integer PRIMARY KEY,
    name        text NOT NULL UNIQUE,
    sha256      text NOT NULL,
    applied_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE  schema_version             IS 'Files of schema/ that were applied to this database';
COMMENT ON COLUMN schema_version.version     IS '[-] {meta.version} number of the file';
COMMENT ON COLUMN schema_version.name        IS '[-] {meta.id;meta.file} name of the file';
COMMENT ON COLUMN schema_version.sha256      IS '[-] {meta.checksum} SHA-256 of the file when it was applied';
COMMENT ON COLUMN schema_version.applied_at  IS '[-] {time.processing} when it was applied';
CREATE TABLE IF NOT EXISTS schema_text (
    name        text PRIMARY KEY,
    sha256      text NOT NULL,
    applied_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE  schema_text             IS 'Functions, views and grants of schema/ as they stand in this database';
COMMENT ON COLUMN schema_text.name        IS '[-] {meta.id;meta.file} name of the file, e.g. views/progress.sql';
COMMENT ON COLUMN schema_text.sha256      IS '[-] {meta.checksum} SHA-256 of the file when it was applied';
COMMENT ON COLUMN schema_text.applied_at  IS '[-] {time.processing} when it was applied';
"""


@dataclass(frozen=True)
class File:
    """A file of schema/: `version` is its number, None for functions, views and grants."""

    name: str
    version: int | None
    sql: str

    @property
    def sha256(self) -> str:
        """Checksum of the text."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def _numbered(root: Path) -> list[File]:
    found = []
    for path in sorted(root.glob("*.sql")):
        match = re.match(r"(\d{4})_", path.name)
        if match:
            found.append(File(path.name, int(match[1]), path.read_text(encoding="utf-8")))
    versions = [file.version for file in found]
    for version in versions:
        if versions.count(version) > 1:
            raise SchemaError(f"{root}: two files have number {version:04d}. Rename one.", code="bad_schema")
    return found


def _texts(root: Path, kind: str) -> list[File]:
    paths = sorted(root.glob(f"{kind}/*.sql")) if kind != "grants" else sorted(root.glob("grants.sql"))
    return [File(path.relative_to(root).as_posix(), None, path.read_text(encoding="utf-8")) for path in paths]


def migrate(engine: Engine, root: Path | None = None, *, q3c: str = "auto") -> list[str]:
    """Bring the database to this program's schema; returns the names of the files that were applied.

    root : the schema folder (default: the program's own).
    q3c  : `auto` uses the extension if it is new enough and can be created, else functions of the same names in plain
           SQL; `sql` never uses the extension. A database keeps the flavor it began with.

    SchemaError `edited_file`, `newer_schema`, `missing_file`, `failed_upgrade`, `views_in_use`.
    """
    root = root or folder("schema")
    numbered = _numbered(root)
    with engine.begin() as connection:
        raw = driver(connection)
        raw.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        raw.execute("SET LOCAL client_min_messages = warning")
        raw.execute(_LEDGER.encode())
        applied = _apply_numbered(raw, numbered)
        applied += _apply_texts(raw, root, q3c, is_new=bool(applied))
        if raw.execute("SELECT to_regclass('flag_doc') IS NOT NULL").fetchone() == (True,):
            _fill_flag_doc(connection)
    return applied


def _ledger(raw: psycopg.Connection[Any]) -> dict[int, tuple[str, str]]:
    return {row[0]: (row[1], row[2]) for row in raw.execute("SELECT version, name, sha256 FROM schema_version")}


def _compare(ledger: dict[int, tuple[str, str]], numbered: list[File]) -> list[File]:
    """The files still to be applied. SchemaError if the database does not fit them."""
    known = {file.version: file for file in numbered}
    newest = max((file.version or 0 for file in numbered), default=0)
    for version, (name, sha256) in sorted(ledger.items()):
        file = known.get(version)
        if file is None and version > newest:
            raise SchemaError(
                f"database: its schema is newer than this program (found {name}, the program ends at {newest:04d}). "
                f"Install a newer hscdb.",
                code="newer_schema",
            )
        if file is None:
            raise SchemaError(
                f"database: schema/{name} was applied, but this program has no such file. "
                f"Use the hscdb that made the database, or make a new one.",
                code="missing_file",
            )
        if file.sha256 != sha256:
            raise SchemaError(
                f"schema/{file.name} was edited after it was applied; restore it and add a new file instead.",
                code="edited_file",
            )
    return [file for file in numbered if file.version not in ledger]


def _execute(raw: psycopg.Connection[Any], file: File) -> None:
    try:
        raw.execute(file.sql.encode())
    except psycopg.Error as error:
        where = ""
        if error.diag.statement_position:
            where = f" in line {file.sql[: int(error.diag.statement_position)].count(chr(10)) + 1}"
        raise SchemaError(
            f"schema/{file.name}: {error.diag.message_primary or error}{where}. "
            f"Nothing of this upgrade was kept; mend the file and try again.",
            code="failed_upgrade",
        ) from error


def _apply_numbered(raw: psycopg.Connection[Any], numbered: list[File]) -> list[str]:
    applied = []
    for file in _compare(_ledger(raw), numbered):
        _execute(raw, file)
        raw.execute(
            "INSERT INTO schema_version (version, name, sha256) VALUES (%s, %s, %s)",
            [file.version, file.name, file.sha256],
        )
        applied.append(file.name)
    return applied


def _apply_texts(raw: psycopg.Connection[Any], root: Path, q3c: str, *, is_new: bool) -> list[str]:
    """Re-create functions, views and grants if any of them changed, or tables are new: functions first, views dropped
    before."""
    known = {row[0]: row[1] for row in raw.execute("SELECT name, sha256 FROM schema_text")}
    functions, views, grants = (_texts(root, kind) for kind in ("functions", "views", "grants"))
    if _use_q3c_extension(raw, q3c, known):
        functions = [file for file in functions if not file.name.startswith("functions/q3c")]
    wanted = {file.name: file.sha256 for file in [*functions, *views, *grants]}
    if wanted == known and not is_new:
        return []
    _drop_views(raw, sorted(Path(name).stem for name in {*known, *wanted} if name.startswith("views/")))
    raw.execute("SET LOCAL check_function_bodies = off")  # they may call each other in any order
    for file in functions:
        _execute(raw, file)
    _create_views(raw, views)
    for file in grants:
        _execute(raw, file)
    raw.execute("DELETE FROM schema_text")
    with raw.cursor() as cursor:
        cursor.executemany("INSERT INTO schema_text (name, sha256) VALUES (%s, %s)", list(wanted.items()))
    return sorted(name for name in wanted if wanted[name] != known.get(name))


def _drop_views(raw: psycopg.Connection[Any], names: list[str]) -> None:
    if not names:
        return
    try:
        raw.execute(f"DROP VIEW IF EXISTS {', '.join(names)}".encode())
    except errors.DependentObjectsStillExist as error:
        raise SchemaError(
            f"database: the project's views must be made anew, but others are built on them "
            f"({(error.diag.message_detail or '').splitlines()[0]}). Drop those, migrate, and create them again.",
            code="views_in_use",
        ) from error


def _create_views(raw: psycopg.Connection[Any], views: list[File]) -> None:
    """Create views that may build on each other: what fails for want of another is tried again after it."""
    while views:
        waiting: list[File] = []
        failure: SchemaError | None = None
        for file in views:
            try:
                with raw.transaction():
                    _execute(raw, file)
            except SchemaError as error:
                if not isinstance(error.__cause__, errors.UndefinedTable | errors.UndefinedFunction):
                    raise
                waiting.append(file)
                failure = failure or error
        if failure is not None and len(waiting) == len(views):
            raise failure
        views = waiting


def _version(written: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", written))


def _use_q3c_extension(raw: psycopg.Connection[Any], q3c: str, known: dict[str, str]) -> bool:
    """Whether q3c_* come from the extension; creates it where that is possible and wanted."""
    if any(name.startswith("functions/q3c") for name in known) or q3c == "sql":
        return False
    row = raw.execute("SELECT extversion FROM pg_extension WHERE extname = 'q3c'").fetchone()
    if row is not None and _version(row[0]) < Q3C_OLDEST:
        raise SchemaError(
            f"database: its extension q3c is {row[0]} (2.0.5 needed: earlier ones lose rows of large cones and read "
            f"stray memory). DROP EXTENSION q3c, and our own functions of its names are installed; or update it.",
            code="old_q3c",
        )
    if row is not None:
        return True
    row = raw.execute("SELECT default_version FROM pg_available_extensions WHERE name = 'q3c'").fetchone()
    if row is None or _version(row[0]) < Q3C_OLDEST:
        return False
    try:
        with raw.transaction():
            raw.execute("CREATE EXTENSION q3c")
    except (errors.InsufficientPrivilege, errors.UndefinedFile, errors.InternalError, errors.FeatureNotSupported):
        return False
    return True


def q3c_flavor(engine: Engine) -> str:
    """Whose q3c_ functions a database has, and why not the extension's."""
    with engine.connect() as connection:
        raw = driver(connection)
        used = raw.execute("SELECT extversion FROM pg_extension WHERE extname = 'q3c'").fetchone()
        there = raw.execute("SELECT default_version FROM pg_available_extensions WHERE name = 'q3c'").fetchone()
    if used is not None:
        return f"Q3C {used[0]}, the extension"
    if there is None:
        return "our own in plain SQL (this server has no extension q3c)"
    if _version(there[0]) < Q3C_OLDEST:
        return (
            f"our own in plain SQL (the server's q3c {there[0]} is refused: before 2.0.5 it loses rows of large cones)"
        )
    return f"our own in plain SQL (with which the database began; the server has q3c {there[0]})"


def _fill_flag_doc(connection: Connection) -> None:
    """Copy the meaning of the flag bits from the code; a bit that is there already is only given its present text."""
    rows = [
        {"kind": kind, "bit_number": bit, "name": name, "meaning": meaning}
        for kind, table in (("source", flags.FLAGS), ("pixel", mask.PLANES))
        for name, bit, meaning in table
    ]
    connection.execute(
        text(
            "INSERT INTO flag_doc (kind, bit_number, name, meaning) VALUES (:kind, :bit_number, :name, :meaning)"
            " ON CONFLICT (kind, bit_number) DO UPDATE SET name = excluded.name, meaning = excluded.meaning"
            " WHERE (flag_doc.name, flag_doc.meaning) <> (excluded.name, excluded.meaning)"
        ),
        rows,
    )


def check(engine: Engine, root: Path | None = None) -> None:
    """SchemaError (exit 3) unless the database has exactly this program's schema; `old_schema` if it is older."""
    numbered = _numbered(root or folder("schema"))
    with engine.connect() as connection:
        raw = driver(connection)
        row = raw.execute("SELECT to_regclass('schema_version') IS NOT NULL").fetchone()
        waiting = _compare(_ledger(raw) if row and row[0] else {}, numbered)
    if waiting:
        raise SchemaError(
            f"database: its schema is older than this program ({len(waiting)} files to apply, first "
            f"{waiting[0].name}). Run `hscdb db migrate REPO`.",
            code="old_schema",
        )
