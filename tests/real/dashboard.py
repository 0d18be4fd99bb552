"""What a person does in Superset, by its own interface, run by the Python that has it: `dashboard.py FOLDER URI`.

Its own tables are made in FOLDER. URI is the database that is looked at. Prints one JSON object: the columns of each
view for dashboards as Superset sees them and the rows of two charts.
"""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

FOLDER, URI = Path(sys.argv[1]), sys.argv[2]
VIEWS = ("bi_frame", "bi_visit", "bi_night", "bi_task")
NAME, PASSWORD = "observer", "dashboard"


def configure() -> None:
    """Superset's settings and its own tables, with one user who may do everything in Superset."""
    settings = FOLDER / "superset_config.py"
    settings.write_text(
        f'SECRET_KEY = "for one test"\nSQLALCHEMY_DATABASE_URI = "sqlite:///{FOLDER}/superset.db"\n'
        "WTF_CSRF_ENABLED = False\nTALISMAN_ENABLED = False\n"
    )
    os.environ |= {"SUPERSET_CONFIG_PATH": str(settings), "FLASK_APP": "superset"}
    person = ["--username", NAME, "--password", PASSWORD, "--firstname", "a", "--lastname", "b", "--email", "a@b.c"]
    for words in (["db", "upgrade"], ["fab", "create-admin", *person], ["init"]):
        subprocess.run([Path(sys.executable).with_name("superset"), *words], check=True, capture_output=True)


class Session:
    """A logged-in user of Superset's REST interface, in this process."""

    def __init__(self) -> None:
        from superset.app import create_app

        self._client = create_app().test_client()
        self._headers: dict[str, str] = {}
        login = {"username": NAME, "password": PASSWORD, "provider": "db"}
        token = self.call("security/login", login)["access_token"]
        self._headers = {"Authorization": f"Bearer {token}"}

    def call(self, path: str, body: Any = None) -> Any:
        """The answer to a GET, or with a body to a POST."""
        send = self._client.get if body is None else self._client.post
        return send(f"/api/v1/{path}", json=body, headers=self._headers).get_json()

    def chart(self, dataset: int, columns: list[Any], *metrics: tuple[str, str]) -> Any:
        """Rows of a chart: metrics (aggregate, column) by columns."""
        measured = [
            {"expressionType": "SIMPLE", "column": {"column_name": name}, "aggregate": how, "label": name}
            for how, name in metrics
        ]
        query = {"columns": columns, "metrics": measured, "time_range": "No filter", "row_limit": 1000}
        whole = {"datasource": {"id": dataset, "type": "table"}, "force": True, "queries": [query]}
        return self.call("chart/data", whole)["result"][0]["data"]


def look() -> dict[str, Any]:
    """Add the database and its views, draw two charts."""
    session = Session()
    database = session.call("database/", {"database_name": "hscdb", "sqlalchemy_uri": URI, "expose_in_sqllab": True})[
        "id"
    ]
    made = {view: {"database": database, "schema": "public", "table_name": view} for view in VIEWS}
    datasets = {view: session.call("dataset/", body)["id"] for view, body in made.items()}
    columns = {
        view: [
            [column["column_name"], column["type"], column["is_dttm"], column["description"]]
            for column in session.call(f"dataset/{number}")["result"]["columns"]
        ]
        for view, number in datasets.items()
    }
    hour = {
        "timeGrain": "PT1H",
        "columnType": "BASE_AXIS",
        "sqlExpression": "obs_start",
        "expressionType": "SQL",
        "label": "t",
    }
    return {
        "columns": columns,
        "by_visit": session.chart(datasets["bi_frame"], ["visit"], ("SUM", "n_source"), ("COUNT", "ccd")),
        "by_hour": session.chart(datasets["bi_visit"], [hour], ("COUNT", "visit")),
    }


configure()
with contextlib.redirect_stdout(sys.stderr):  # Superset writes its log there
    seen = look()
print(json.dumps(seen))
