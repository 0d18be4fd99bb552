"""What is in a database and what one may do with it, to be compared with another's."""

from typing import Any

import psycopg


def everything(dsn: str) -> dict[str, Any]:
    """Rows of each table, columns with their comments, functions and what readers may do."""
    with psycopg.connect(dsn) as connection:
        tables = [row[0] for row in connection.execute("SELECT DISTINCT table_name FROM column_doc ORDER BY 1")]
        found: dict[str, Any] = {
            table: connection.execute(
                f"SELECT count(*), sum(hashtextextended(CAST(t AS text), 0)) FROM {table} AS t".encode()
            ).fetchone()
            for table in tables
            if table != "progress"
        }
        found["columns"] = connection.execute("SELECT * FROM column_doc ORDER BY table_name, column_rank").fetchall()
        found["help"] = connection.execute("SELECT * FROM help('%_')").fetchall()
        found["functions"] = connection.execute(
            "SELECT proname, prosrc, CAST(proacl AS text) FROM pg_proc WHERE pronamespace = 2200 ORDER BY 1, 2"
        ).fetchall()
        found["forbidden"] = connection.execute(
            "SELECT has_function_privilege('hscdb_reader', 'set_config(text, text, boolean)', 'EXECUTE')"
        ).fetchall()
        search = "SELECT star_id FROM star WHERE coneSearch(ra, dec, 150.1, 2.2, 60)"
        connection.execute("SET enable_seqscan = off")
        plan = "\n".join(row[0] for row in connection.execute(f"EXPLAIN (COSTS OFF) {search}".encode()))
        found["plan"] = plan
        assert "star_sky" in plan
    return found
