"""init, ingest, ingest-refcat, ingest-catalog: what brings data in."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hscdb.cli import options
from hscdb.errors import ConfigError

if TYPE_CHECKING:
    from hscdb.run.log import Progress

_ABOUT = {
    "init": (
        "Make a repository: its folder, hscdb.toml, database, schema, and the camera's tables. Safe to repeat.",
        "hscdb init ~/HSC --camera hsc\n  hscdb init ~/mine --camera ~/mine/camera.toml\n"
        "  hscdb init ~/HSC --camera hsc --dsn 'host=db.example dbname=hsc'",
    ),
    "ingest": (
        "Enter raw frames: headers become rows of visit and frame. Files are linked into hscPipe's places. Files that "
        "are known are skipped; what cannot be read is listed with its reason.",
        "hscdb ingest ~/HSC /data/raw/*.fits\n  hscdb ingest ~/HSC /data/raw --mode copy",
    ),
    "ingest-refcat": (
        "Enter a reference catalog from FITS, ECSV, CSV, Parquet or VOTable files. Presets know the columns of Gaia "
        "and Pan-STARRS1; --map names others.",
        "hscdb ingest-refcat ~/HSC gaia_dr3 gaia*.fits --preset gaia\n"
        "  hscdb ingest-refcat ~/HSC mine stars.csv --map ra=RAJ2000 dec=DEJ2000 mag.r=rmag --epoch 2000",
    ),
    "ingest-catalog": (
        "Enter source lists made elsewhere as calibrated frames, so that match, mosaic, apply and qa serve them too.",
        "hscdb ingest-catalog ~/LAST last/*.fits --preset last\n"
        "  hscdb ingest-catalog ~/X *.csv --map x=X_IMAGE y=Y_IMAGE ra=ALPHA_J2000 dec=DELTA_J2000 flux=FLUX_AUTO",
    ),
}


def arguments(parser: argparse.ArgumentParser, name: str) -> Callable[[argparse.Namespace], int]:
    """The arguments of one of these commands."""
    about, examples = _ABOUT[name]
    parser.description, parser.epilog = about, f"examples:\n  {examples}"
    options.repository(parser)
    add = parser.add_argument
    if name == "init":
        add("--camera", required=True, metavar="NAME", help="a shipped camera (hsc, decam, toy, ...) or a camera.toml")
        return init
    if name == "ingest":
        add("files", nargs="+", metavar="FILE", help="files, folders or patterns")
        add("--mode", help="link, copy, move or skip: how files get into the repository [setting ingest.mode]")
        add(
            "-j",
            "--processes",
            dest="jobs",
            type=options.positive,
            default=2,
            metavar="N",
            help="files read at once [2]",
        )
        return ingest
    if name == "ingest-refcat":
        add("catalog", metavar="NAME", help="name of the catalog, e.g. gaia_dr3; color terms look for it")
    add("files", nargs="+", metavar="FILE", help="files, folders or patterns")
    add("--preset", help="whose columns these are: " + _presets(name))
    add("--map", nargs="+", action="append", metavar="OURS=COLUMN", help="columns, overruling the preset")
    if name == "ingest-refcat":
        add("--epoch", type=float, metavar="YEAR", help="julian year of the positions where rows have none")
        return ingest_refcat
    add("--rerun", default="catalog", metavar="NAME", help="run that holds them [catalog]")
    return ingest_catalog


def _presets(name: str) -> str:
    return "gaia, ps1" if name == "ingest-refcat" else "last, sextractor-ldac, lsst-src, ..."


def init(args: argparse.Namespace) -> int:
    """Make a repository."""
    from hscdb.run.repository import Repository

    options.start_log(args)
    with Repository.create(Path(args.repository), args.camera, args.dsn) as repository:
        camera = repository.camera
        print(
            f"repository {repository.path}: camera {camera.name}, "
            f"{len(camera.ccds)} ccds, {len(camera.filters)} filters"
        )
        print(f"next: hscdb ingest {shlex.quote(args.repository)} FILES")
    return 0


def ingest(args: argparse.Namespace) -> int:
    """Enter raw frames."""
    from hscdb.ingest.stage import ingest_raw
    from hscdb.ingest.stage_config import Config
    from hscdb.run.config import resolve

    options.start_log(args)
    with options.opened(args) as repository:
        mode = args.mode or resolve({"ingest": Config}, repository=_own(repository, "ingest")).values["ingest"]["mode"]
        with _Told("ingest") as told:
            done = ingest_raw(
                repository.engine,
                repository.path,
                repository.camera,
                args.files,
                mode=mode,
                jobs=args.jobs,
                report=told,
            )
        _analyze(repository, ("visit", "frame"))
        return _report(done, "frames")


def ingest_refcat(args: argparse.Namespace) -> int:
    """Enter a reference catalog."""
    from hscdb.ingest.stage_refcat import ingest_refcat as enter

    options.start_log(args)
    with options.opened(args) as repository, _Told("ingest-refcat") as told:
        done = enter(
            repository.engine, args.catalog, args.files, preset=args.preset, mapping=options.flat(args.map),
            epoch=args.epoch, report=told,
        )  # fmt: skip
    return _report(done, "rows")


def ingest_catalog(args: argparse.Namespace) -> int:
    """Enter source lists made elsewhere."""
    from hscdb.ingest.stage_catalog import ingest_catalog as enter
    from hscdb.pipeline import configs
    from hscdb.run.config import resolve
    from hscdb.run.rerun import open_run

    options.start_log(args)
    with options.opened(args) as repository:
        settings = resolve(configs(), camera=repository.camera.own_settings, repository=repository.settings)
        run = open_run(repository.engine, args.rerun, settings, [])
        with _Told("ingest-catalog") as told:
            done = enter(
                repository.engine, repository.camera, run.run_id, args.files, preset=args.preset,
                mapping=options.flat(args.map), report=told,
            )  # fmt: skip
    status = _report(done, "rows")
    print(f"run {run.name}; next: hscdb run {shlex.quote(args.repository)} skymap..qa --rerun {run.name}:NEW")
    return status


class _Told:
    """Progress of files, told by a report function; made when the first one is over."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.progress: Progress | None = None

    def __call__(self, number: int, n_total: int, path: str) -> None:
        from hscdb.run.log import Progress

        if self.progress is None:
            self.progress = Progress(self.label, n_total)
        self.progress.step()

    def __enter__(self) -> _Told:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.progress is not None:
            self.progress.close()


def _own(repository: Any, stage: str) -> dict[str, Any]:
    return {name: names for name, names in repository.settings.items() if name == stage}


def _analyze(repository: Any, tables: tuple[str, ...]) -> None:
    from hscdb.db.tables import analyze

    analyze(repository.engine, tables)


def _report(done: Any, what: str) -> int:
    """Print counts and refusals; 1 if anything was refused or there was nothing."""
    print("  ".join(f"{name}={count}" for name, count in done.counts.items()))
    for path, reason, message in done.refusals:
        print(f"  refused {path}  {reason}\n    {message}")
    if not done.counts.get("n_file"):
        raise ConfigError(
            f"no files found, so no {what} were entered. Give files, folders or patterns.", code="no_file"
        )
    return 1 if done.refusals else 0
