"""A repository: one folder with a camera, a database and the files of its runs.

REPO/hscdb.toml      camera, dsn (optional), [settings.<stage>]
REPO/pgdata, server  the embedded server, unless a dsn names another
REPO/rerun/<run>/    products, in hscPipe's places
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hscdb.errors import ConfigError, HscdbError, InputError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from hscdb.camera.model import Amplifier, Camera
    from hscdb.db.server import Server

FILE = "hscdb.toml"
_TEMPLATE = """\
# hscdb repository. The embedded server in pgdata/ is used unless dsn names another ("" = libpq's environment).
camera = {camera}
{dsn}
# Settings that hold for every new run, by stage: `hscdb config` lists them all.
# [settings.detect]
# threshold_sigma = 5.0
"""


@dataclass
class Repository:
    """An opened repository; the server is started at the first use of `engine`.

    path : absolute folder. dsn: a server given by the user, None for the embedded one. camera_name: name or path.
    """

    path: Path
    camera_name: str
    dsn: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def open(cls, path: str | Path, dsn: str | None = None) -> Repository:
        """The repository in a folder. dsn (else HSCDB_DSN, else hscdb.toml) names another server than the embedded.

        InputError `no_repository`; ConfigError `bad_repository` if hscdb.toml cannot be read.
        """
        folder = Path(path).expanduser().absolute()
        try:
            table = tomllib.loads((folder / FILE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            lost = InputError(
                f"{folder}: no repository here (no {FILE}). Make one with `hscdb init {path} --camera hsc`.",
                code="no_repository",
            )
            lost.exit_status = ConfigError.exit_status  # a wrong word on the command line: nothing was begun
            raise lost from None
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(f"{folder / FILE}: cannot be read ({error}). Mend it.", code="bad_repository") from None
        unknown = set(table) - {"camera", "dsn", "settings"}
        if unknown or not isinstance(table.get("camera"), str):
            what = f"unknown names {', '.join(sorted(unknown))}" if unknown else "no camera"
            raise ConfigError(
                f"{folder / FILE}: {what}. It holds camera, dsn and [settings.STAGE].", code="bad_repository"
            )
        given = dsn if dsn is not None else os.environ.get("HSCDB_DSN") or table.get("dsn")
        return cls(folder, table["camera"], given, table.get("settings", {}))

    @classmethod
    def create(cls, path: str | Path, camera: str | Path, dsn: str | None = None) -> Repository:
        """Make a repository, its server and its schema, and enter the camera. Doing it again completes what is missing.

        ConfigError `other_camera` if the folder is a repository of another camera; `unknown_camera`.
        """
        from hscdb.camera.load import load

        load(camera)
        folder = Path(path).expanduser().absolute()
        name = (
            str(Path(camera).expanduser().absolute()) if Path(camera).suffix or os.sep in str(camera) else str(camera)
        )
        if (folder / FILE).exists():
            here = cls.open(folder, dsn)
            if here.camera_name != name:
                raise ConfigError(
                    f"{folder}: is a repository of camera {here.camera_name} already, not of {name}. "
                    "Give another folder.",
                    code="other_camera",
                )
        else:
            _write_file(folder, name, dsn)
            here = cls.open(folder, dsn)
        here.migrate()
        return here

    @cached_property
    def server(self) -> Server | None:
        """The embedded server; None where a dsn names another."""
        if self.dsn is not None:
            return None
        from hscdb.db.server import Server

        return Server(self.path)

    def start(self) -> str:
        """Start the embedded server if it does not run; the DSN of the server in use."""
        return self.dsn if self.server is None else self.server.start()  # type: ignore[return-value]  # dsn is set then

    @cached_property
    def engine(self) -> Engine:
        """Engine on the database. SchemaError if its schema does not fit this program; ConfigError `no_database`."""
        from hscdb.db.migrate import check

        if self.dsn is None and not (self.path / "pgdata").exists():
            # a new, empty server would only hide where the data are
            raise ConfigError(
                f"{self.path}: has no server of its own (no folder pgdata) and no other is named. Was it made "
                f'with HSCDB_DSN or --dsn? Give it again, or write dsn = "..." into {FILE}. For a new database here: '
                f"hscdb init {self.path} --camera {self.camera_name}",
                code="no_database",
            )
        engine = self.bare_engine()
        try:
            check(engine)
        except HscdbError:
            engine.dispose()
            raise
        return engine

    def close(self) -> None:
        """Close the connections to the database; the server goes on."""
        if "engine" in self.__dict__:
            self.__dict__.pop("engine").dispose()

    def __enter__(self) -> Repository:
        """The repository; its connections are closed at the end of the block."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close the connections."""
        self.close()

    def bare_engine(self) -> Engine:
        """Engine on the database whatever its schema."""
        from hscdb.db.engine import connect

        return connect(self.start())

    @cached_property
    def camera(self) -> Camera:
        """The camera's description."""
        from hscdb.camera.load import load

        return load(self.camera_name)

    def migrate(self) -> list[str]:
        """Bring the schema to this program's and the camera's tables to its description; names of files applied."""
        from hscdb.db.migrate import migrate

        engine = self.bare_engine()
        try:
            applied = migrate(engine)
            enter_camera(engine, self.camera)
        finally:
            engine.dispose()
        return applied


def _write_file(folder: Path, camera: str, dsn: str | None) -> None:
    import json

    try:
        folder.mkdir(parents=True, exist_ok=True)
        line = f"dsn = {json.dumps(dsn)}" if dsn is not None else '# dsn = "host=db.example dbname=hscdb user=me"'
        part = folder / f".{FILE}.{os.getpid()}"
        part.write_text(_TEMPLATE.format(camera=json.dumps(camera), dsn=line), encoding="utf-8")
        part.rename(folder / FILE)
        (folder / "rerun").mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder}: the repository cannot be made here ({error.strerror}). Give a folder you may write to.",
            code="no_permission",
        ) from None


def enter_camera(engine: Engine, camera: Camera) -> None:
    """Enter the camera's description into camera, ccd, amplifier, filter and color_term; nothing if it is unchanged."""
    from hscdb.db.engine import transaction
    from hscdb.db.queries import query

    with transaction(engine) as connection:
        known = query("run/find_camera").one(connection, camera=camera.name)
        if known is not None and known["description_sha256"] == camera.sha256:
            return
        query("run/replace_camera")(
            connection,
            camera=camera.name,
            pixel_scale_arcsec=camera.pixel_scale_arcsec,
            n_ccd=len(camera.ccds),
            description=camera.description,
            description_sha256=camera.sha256,
        )
        for name, rows in _camera_rows(camera).items():
            query(f"run/replace_{name}").many(connection, rows)


_COLUMNS = {
    "ccd": "ccd i4,name O,kind O,is_science ?,width_pix i4,height_pix i4,u_pix f8,v_pix f8,yaw_deg f8,n_quarter i4",
    "amplifier": "ccd i4,amp i4,x0_pix i4,y0_pix i4,width_pix i4,height_pix i4,gain_e_per_adu f8,read_noise_e f8,"
    "saturation_adu f8,linearity_c0 f8",
    "filter": "filter O,band O,lambda_nm f8",
    "color_term": "color_term_set O,refcat_glob O,filter O,primary_band O,secondary_band O,c0 f8,c1 f8,c2 f8",
}


def _box(amplifier: Amplifier) -> tuple[int, int, int, int]:
    return amplifier.box.x0, amplifier.box.y0, amplifier.box.width, amplifier.box.height


def _camera_rows(camera: Camera) -> dict[str, np.ndarray[Any, Any]]:
    """Rows of ccd, amplifier, filter and color_term as structured arrays."""
    known = {each.filter for each in camera.filters}
    rows: dict[str, list[tuple[Any, ...]]] = {
        "ccd": [
            (c.ccd, c.name, c.kind, c.is_science, c.width, c.height, c.u_pix, c.v_pix, c.yaw_deg, c.n_quarter)
            for c in camera.ccds.values()
        ],
        "amplifier": [
            (c.ccd, a.amp, *_box(a), a.gain_e_per_adu, a.read_noise_e, a.saturation_adu, a.linearity_c0)
            for c in camera.ccds.values()
            for a in c.amplifiers
        ],
        "filter": [(f.filter, f.band, np.nan if f.lambda_nm is None else f.lambda_nm) for f in camera.filters],
        "color_term": [
            (t.color_term_set, t.refcat_glob, t.filter, t.primary_band, t.secondary_band, t.c0, t.c1, t.c2)
            for t in camera.color_terms
            if t.filter in known
        ],
    }
    return {
        name: np.array(rows[name], [tuple(column.split()) for column in _COLUMNS[name].split(",")]) for name in rows
    }
