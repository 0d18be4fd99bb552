"""connect, psql, db: the database itself."""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Callable
from typing import Any

from hscdb.cli import functions, options, upkeep
from hscdb.errors import ConfigError, InputError

# PostgreSQL's JDBC driver where distributions put it (Debian: libpostgresql-jdbc-java)
_JARS = ("/usr/share/java/postgresql.jar", "/usr/share/java/postgresql-jdbc.jar")
_PORT = 5433  # where --tcp listens unless told otherwise: 5432 often is taken by another server


def arguments(parser: argparse.ArgumentParser, name: str) -> Callable[[argparse.Namespace], int]:
    """The arguments of connect, psql and db."""
    add = parser.add_argument
    if name == "db":
        parser.description = "The database server and its schema."
        parser.epilog = (
            "examples:\n  hscdb db status ~/HSC\n  hscdb db stop ~/HSC\n  hscdb db migrate ~/HSC\n"
            "  hscdb db describe ~/HSC source\n  hscdb db functions ~/HSC '%search%'\n"
            "  hscdb db size ~/HSC\n  hscdb db check ~/HSC --checksums\n"
            "  hscdb db reader ~/HSC alice --upload     a login that may look (and make temporary tables)\n"
            "  hscdb db archive ~/HSC first               put the rows of a run aside, --restore brings them back\n"
            "  hscdb db watch ~/HSC --seconds 600       end what readers let run longer"
        )
        add(
            "action",
            choices=("start", "stop", "status", "migrate", "describe", "functions", *upkeep.ACTIONS),
            help="what to do",
        )
        options.repository(parser)
        add(
            "table",
            nargs="?",
            metavar="NAME",
            help="describe: a table or view [all]; functions: a pattern of their names [all]; archive: the run; "
            "reader: the login",
        )
        add("--markdown", action="store_true", help="functions: as the page schema/FUNCTIONS.md")
        add("--checksums", action="store_true", help="check: read every file and compare its checksum")
        add("--restore", action="store_true", help="archive: bring the run's rows back")
        add("--upload", action="store_true", help="reader: may make temporary tables, e.g. a list to match")
        add("--drop", action="store_true", help="reader: remove the login")
        add("--seconds", type=float, default=300.0, metavar="S", help="reader, watch: time limit [300]")
        return db
    options.repository(parser)
    if name == "psql":
        parser.description = "PostgreSQL's own shell on the database; words after -- go to psql."
        parser.epilog = "examples:\n  hscdb psql ~/HSC\n  hscdb psql ~/HSC -- -c '\\d frame_info'"
        add("words", nargs="*", metavar="-- WORD", help="for psql")
        return psql
    parser.description = "How other programs reach the database: DSN, psql, Java (JDBC), TOPCAT and STILTS."
    parser.epilog = (
        "examples:\n  hscdb connect ~/HSC\n  hscdb connect ~/HSC --tcp          for TOPCAT and other Java clients"
    )
    add("--tcp", nargs="?", type=int, const=_PORT, metavar="PORT",
        help=f"serve TCP on 127.0.0.1 too, with the password [port {_PORT}]; stays so until --no-tcp")  # fmt: skip
    add("--no-tcp", action="store_true", help="serve the socket only")
    return connect


def connect(args: argparse.Namespace) -> int:
    """Print how to connect."""
    with options.opened(args) as repository:
        server = repository.server
        if server is None:
            if args.tcp or args.no_tcp:
                raise ConfigError(
                    "--tcp: is for the embedded server; this repository uses another by its DSN.", code="usage"
                )
            print(f"DSN      {repository.dsn}\npsql     psql '{repository.dsn}'")
            return 0
        if args.tcp or args.no_tcp:
            server.listen(args.tcp)
        server.start()
        print(f"DSN      {server.dsn()}\npsql     psql '{server.dsn()}'")
        print(f"         or: hscdb psql {args.repository}")
        if server.port is None:
            print(f"Java     only over TCP: hscdb connect {args.repository} --tcp")
            return 0
        url = f"jdbc:postgresql://127.0.0.1:{server.port}/hscdb"
        print(f"TCP DSN  {server.dsn(tcp=True)}\nJDBC     {url}\nuser     hscdb\npassword {server.password()}")
        jar = next((path for path in _JARS if os.path.isfile(path)), "postgresql.jar")
        print(f"TOPCAT   topcat -classpath {jar} -Djdbc.drivers=org.postgresql.Driver")
        print(f"         then File > Load Table > SQL Query: {url}?user=hscdb, with the password above")
        source = f"{url}?user=hscdb&password={server.password()}#TABLE frame_info"
        print(f"STILTS   stilts -classpath {jar} -Djdbc.drivers=org.postgresql.Driver tpipe")
        print(f"         in='{source}' out=frames.fits")
    return 0


def psql(args: argparse.Namespace) -> int:
    """Become psql."""
    with options.opened(args) as repository:
        dsn = repository.start()
        program = shutil.which("psql")
        if program is None and repository.server is not None:
            program = repository.server.binaries().program("psql")
    if program is None:
        raise InputError(
            "psql: not found on the PATH. Install PostgreSQL's client, or use `hscdb query`.", code="no_psql"
        )
    os.execv(program, [program, dsn, *args.words])  # noqa: S606  # it takes our place, no shell in between


def db(args: argparse.Namespace) -> int:
    """Start, stop, migrate, status, describe, functions, size, check, archive, reader, watch."""
    options.start_log(args)
    with options.opened(args) as repository:
        if args.action in ("start", "stop"):
            if repository.server is None:
                raise ConfigError(
                    "hscdb db: this repository uses another server by its DSN; it is not ours.", code="usage"
                )
            if args.action == "start":
                print(repository.start())
            else:
                print("stopped" if repository.server.stop() else "was not running")
        elif args.action == "migrate":
            applied = repository.migrate()
            print("\n".join(f"applied {name}" for name in applied) or "up to date")
        elif args.action == "status":
            return _status(repository)
        elif args.action in upkeep.ACTIONS:
            return upkeep.run(args, repository)
        elif args.action == "functions":
            functions.show(repository, args.table, is_page=args.markdown)
        else:
            _describe(repository, args.table)
    return 0


def _status(repository: Any) -> int:
    from hscdb.db.migrate import check, q3c_flavor

    server = repository.server
    if server is not None:
        if not server.running():
            print(f"server: not running (data in {server.data}); every command starts it when needed")
            return 0
        print(f"server: PostgreSQL {server.binaries().version} running, data in {server.data}, log {server.log}")
    engine = repository.bare_engine()
    try:
        check(engine)
        flavor = q3c_flavor(engine)
    finally:
        engine.dispose()
    print(f"schema: fits this program\nq3c_ functions: {flavor}")
    return 0


def _describe(repository: Any, table: str | None) -> None:
    """Tables with their columns, units and meanings."""
    from hscdb.cli.show import table as tabulate
    from hscdb.db.engine import transaction
    from hscdb.db.queries import query

    with transaction(repository.engine) as connection:
        rows = query("run/read_columns")(connection, table_name=table)
    if table is not None and not len(rows):
        raise ConfigError(f"no table or view '{table}'. `hscdb db describe REPO` lists them.", code="no_table")
    if table is None:
        meanings = {str(row["table_name"]): (row["table_kind"], row["table_meaning"]) for row in rows}
        tabulate(("name", "kind", "a row is"), [(name, *about) for name, about in meanings.items()])
        return
    print(f"{table}: {rows['table_meaning'][0]}\n")
    tabulate(
        ("column", "type", "unit", "meaning"),
        [(row["column_name"], row["type_name"], row["unit"], row["meaning"]) for row in rows],
    )
