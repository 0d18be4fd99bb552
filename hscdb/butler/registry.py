"""Where things are: frames, products and masters found in the tables, with errors that say what is there instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hscdb.butler import dataid
from hscdb.butler.target import MASTERS, Target, parse, writer
from hscdb.db.engine import transaction
from hscdb.db.queries import query
from hscdb.errors import ConfigError, InputError
from hscdb.fits.product import names
from hscdb.run.repository import Repository
from hscdb.run.rerun import existing, find_run, read_runs


class NoResults(InputError, LookupError):  # noqa: N818  the name that scripts catch
    """What was asked for is not there."""


@dataclass(frozen=True)
class DatasetRef:
    """A file that is there."""

    datasetType: str
    dataId: dict[str, Any]
    path: str


class Registry:
    """The tables of a repository, as one run sees them.

    rerun : name of the run; None takes the only one there is beside the masters'. calib: the run with the masters.
    """

    def __init__(self, repository: Repository, rerun: str | None, calib: str | None = None) -> None:
        self.repository = repository
        with transaction(repository.engine) as connection:
            self.runs = [str(row["name"]) for row in read_runs(connection)]
            own = [name for name in self.runs if name != "calib"]
            name = rerun if rerun is not None else own[0] if len(own) == 1 else None
            self.run = None if name is None else existing(connection, name)
            of = find_run.one(connection, name=calib or "calib")
            if of is None and calib is not None:
                existing(connection, calib)  # says which there are
        found = of if of is not None else self.run
        self.calib_run_id = None if found is None else int(found["run_id"])

    def ask(self, name: str, **params: Any) -> Any:
        """The rows of a statement of sql/butler."""
        with transaction(self.repository.engine) as connection:
            return query(f"butler/{name}")(connection, **params)

    def run_id(self, what: str) -> int:
        """The run. ConfigError `no_rerun` if none was named and there are several, or none at all."""
        if self.run is None:
            raise ConfigError(
                f"butler: {what}: of which run? Open Butler({str(self.repository.path)!r}, rerun=NAME). "
                f"Runs: {', '.join(self.runs) or 'none yet'}.",
                code="no_rerun",
            )
        return int(self.run["run_id"])

    def frame(self, ids: Mapping[str, Any], what: str) -> Any:
        """The one frame of a dataId (row of read_frames). NoResults if there is none, ConfigError `bad_id` if there are
        several."""
        one = {key: [ids[key]] for key in ("visit", "ccd") if isinstance(ids.get(key), int)}
        rows = self.frames(ids, known=one if len(one) == 2 else {})
        if len(rows) == 1:
            return rows[0]
        said = dataid.describe(ids)
        if len(rows):
            raise ConfigError(
                f"butler: {what}: {len(rows)} frames have {said}: {_some(rows)}. Add visit or ccd.", code="bad_id"
            )
        raise NoResults(f"butler: {what}: no frame with {said}. {self._near(ids)}", code="no_frame")

    def frames(
        self, ids: Mapping[str, Any], data_type: str | None = None, known: Mapping[str, list[int]] | None = None
    ) -> Any:
        """The frames of a dataId, which may leave keys open or give lists. known: visit and ccd of the only ones."""
        visits, ccds = ((known or {}).get(key) for key in ("visit", "ccd"))
        selected = [*dataid.selection(ids).ids]
        return self.ask("read_frames", ids=selected, data_type=data_type, visits=visits, ccds=ccds)

    def _near(self, ids: Mapping[str, Any]) -> str:
        """What there is where a frame was not found."""
        if "visit" in ids:
            rows = self.frames({"visit": ids["visit"]})
            if len(rows):
                filters = ", ".join(sorted({str(row["filter"]) for row in rows}))
                return f"Visit {ids['visit']} ({filters}) has ccds {_several(row['ccd'] for row in rows)}."
        rows = self.ask("read_visits")
        there = [
            " ".join(map(str, filter(None, (row["n_visit"], row["data_type"], row["filter"]))))
            + f" ({row['first_visit']}..{row['last_visit']})"
            for row in rows
        ]
        return f"Visits: {'; '.join(there) or 'none: run hscdb ingest'}."

    def product(self, target: Target, ids: Mapping[str, Any]) -> Path:
        """The file of a product. NoResults if there is none, ConfigError `bad_id` if the dataId fits several."""
        what, said = target.dataset, dataid.describe(ids)
        rows = self.products(target, ids)
        there = rows[~rows["is_swept"]] if len(rows) else rows
        if len(there) > 1:
            keys = [key for key in ("visit", "ccd", "tract", "filter") if len({str(row[key]) for row in there}) > 1]
            found = "; ".join(f"{key} {_several(row[key] for row in there)}" for key in keys)
            raise ConfigError(f"butler: {what}: {len(there)} files have {said} ({found}). Say which.", code="bad_id")
        if len(there) == 1:
            path = self.repository.path / str(there[0]["path"])
            if path.exists():
                return path
            raise NoResults(
                f"butler: {what} {said}: the file {path} is gone. Do stage {there[0]['stage']} again (--redo).",
                code=f"no_{what}",
            )
        raise NoResults(f"butler: {what} {said}: {self._why(target, ids, len(rows) > 0)}", code=f"no_{what}")

    def products(self, target: Target, ids: Mapping[str, Any]) -> Any:
        """Rows of read_products for a dataId."""
        ids = dict(ids)
        if not isinstance(ids.get("visit"), int) or not isinstance(ids.get("ccd"), int):
            beside = set(ids) - {"visit", "ccd", "tract", "filter"}
            if beside and "ccd" not in beside:
                row = self.frame(ids, target.dataset)
                ids |= {"visit": int(row["visit"]), "ccd": int(row["ccd"])}
        asked = names(target.dataset)  # scripts give tract, and coadds visit, with everything
        keys = {key: ids.get(key) if key in asked else None for key in ("visit", "ccd", "tract", "filter")}
        return self.ask("read_products", run_id=self.run_id(target.dataset), dataset=target.dataset, **keys)

    def _why(self, target: Target, ids: Mapping[str, Any], is_swept: bool) -> str:
        """Why a product is not there, and what is."""
        name = self.run["name"] if self.run is not None else ""
        if target.dataset == "postISRCCD":
            return "is removed once it is used. Keep it by --config isr.keep_image=true (in a new run)."
        if is_swept:
            return "was removed when it was used."
        if "visit" in ids and "ccd" in ids:
            self.frame({key: ids[key] for key in ("visit", "ccd")}, target.dataset)
            where = {"run_id": self.run_id(target.dataset), "visit": ids["visit"], "ccd": ids["ccd"]}
            failed = self.ask("read_failures", **where)
            if len(failed):
                return f"run {name}: stage {failed[0]['stage']} failed for this frame: {failed[0]['message']}"
            others = self.products(target, {key: ids[key] for key in ("visit", "ccd")}) if target.has_tract else []
            if len(others):
                return f"run {name} has it in tract {_several(row['tract'] for row in others)}."
            has = ", ".join(str(row["dataset"]) for row in self.ask("read_datasets", **where)) or "nothing"
            return f"run {name} has {has} of this frame. {writer(target.dataset)}"
        rows = self.ask("read_datasets", run_id=self.run_id(target.dataset), visit=None, ccd=None)
        has = ", ".join(f"{row['n_file']} {row['dataset']}" for row in rows) or "nothing"
        return f"run {name} has {has}. {writer(target.dataset)}"

    def master(self, kind: str, ids: Mapping[str, Any]) -> Path:
        """The file of the master that holds for a frame. NoResults, with the nearest."""
        row = self.frame(ids, kind)
        found = None
        if self.calib_run_id is not None:
            with transaction(self.repository.engine) as connection:
                found = query("master/find_master").one(
                    connection, calib_run_id=self.calib_run_id, kind=kind, ccd=int(row["ccd"]), filter=row["filter"],
                    night=row["night"],
                )  # fmt: skip
        who = f"butler: {kind} {dataid.describe(ids)}"
        if found is None or not found["is_valid"]:
            near = "there is none of this ccd"
            if found is not None:
                near = f"the nearest holds {found['first_night']}..{found['last_night']}"
            raise NoResults(
                f"{who}: no master for the night {row['night']}; {near}. "
                f"Make one with `hscdb master REPO {kind} --id`.",
                code="no_master",
            )
        path = self.repository.path / str(found["path"])
        if not path.exists():
            raise NoResults(f"{who}: the file {path} is gone. Make it again.", code="no_master")
        return path

    def queryCollections(self) -> list[str]:
        """The runs."""
        return list(self.runs)

    def queryDatasets(self, datasetType: str, dataId: Any = None, **keys: Any) -> list[DatasetRef]:
        """The files of a product that are there and fit a dataId; keys may be left open."""
        target = parse(datasetType)
        if not target.is_product:
            raise ConfigError(
                f"butler: queryDatasets: {datasetType} is not made by a run. Take subset.", code="unknown_target"
            )
        rows = self.products(target, dataid.merged(dataId, keys))
        wanted = [key for key in ("visit", "ccd", "tract", "filter") if key in names(target.dataset)]
        return [
            DatasetRef(
                target.dataset,
                {key: row[key] if key == "filter" else int(row[key]) for key in wanted},
                str(self.repository.path / str(row["path"])),
            )
            for row in rows
            if not row["is_swept"]
        ]

    def path(self, target: Target, ids: Mapping[str, Any]) -> Path:
        """The file of anything that has one."""
        if target.dataset == "raw":
            return self.repository.path / str(self.frame(ids, "raw")["path"])
        if target.dataset in MASTERS:
            return self.master(target.dataset, ids)
        if target.dataset == "psf":
            return self.product(Target("calexp"), ids)
        if target.is_product:
            return self.product(target, ids)
        raise ConfigError(f"butler: {target.dataset} has no file of its own.", code="no_file")


def _several(numbers: Iterable[Any]) -> str:
    found = sorted(set(numbers), key=lambda each: (str(type(each)), each))
    return ", ".join(map(str, found[:12])) + (", ..." if len(found) > 12 else "")


def _some(rows: Any) -> str:
    shown = "; ".join(f"visit={row['visit']} ccd={row['ccd']}" for row in rows[:3])
    return shown + ("; ..." if len(rows) > 3 else "")
