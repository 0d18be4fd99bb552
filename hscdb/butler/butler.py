"""The butler: hand over the thing of a name and a dataId."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hscdb.butler import dataid, read, target
from hscdb.butler.camera import CameraView
from hscdb.butler.dataref import ButlerSubset, DataRef
from hscdb.butler.geom import Box2I
from hscdb.butler.image import LOCAL, PARENT
from hscdb.butler.metadata import PropertyList
from hscdb.butler.registry import NoResults, Registry
from hscdb.butler.target import Target
from hscdb.errors import ConfigError, InputError
from hscdb.run.repository import FILE, Repository

_ID_BITS = 32  # visit * 200 + ccd, as source ids have it
_OPTIONS = ("bbox", "imageOrigin", "flags", "doBackup")  # keywords of get that are no keys of a dataId


def _open(root: str | Path) -> tuple[Path, str | None]:
    """(repository, run) of `REPO` or `REPO/rerun/NAME`. InputError `no_repository`."""
    path = Path(root).expanduser().absolute()
    for folder in (path, *path.parents):
        if (folder / FILE).is_file():
            parts = path.relative_to(folder).parts
            if not parts:
                return folder, None
            if parts[0] == "rerun" and len(parts) > 1:
                return folder, "/".join(parts[1:])
            break
    raise InputError(
        f"butler: {path}: neither a repository (with {FILE}) nor REPO/rerun/NAME. Give one of them.",
        code="no_repository",
    )


class Butler:
    """What a repository holds, as one run sees it.

    root  : REPO or REPO/rerun/NAME.
    rerun : name of the run, if root is REPO; may be left out where there is only one.
    calib : run with the masters [calib].
    dsn   : another server than the repository's own.
    collections is rerun in the words of later butlers (of several, the first: a run knows what it builds on).
    inputs, outputs, mapperArgs are hscPipe's; the first stands for root, the others change nothing.
    """

    def __init__(
        self, root: Any = None, rerun: str | None = None, calib: str | None = None, dsn: str | None = None, *,
        collections: Any = None, inputs: Any = None, outputs: Any = None, mapperArgs: Any = None,
    ) -> None:  # fmt: skip
        if collections:
            rerun = collections if isinstance(collections, str) else str(next(iter(collections)))
        given = root if root is not None else inputs
        if isinstance(given, Mapping):
            given = given.get("root")
        if given is None:
            raise ConfigError('butler: no repository named. Write Butler("REPO/rerun/NAME").', code="no_repository")
        folder, name = _open(given)
        self.repository = Repository.open(folder, dsn)
        self._finalizer = weakref.finalize(self, self.repository.close)
        with ExitStack() as stack:
            stack.callback(self.close)
            self.registry = Registry(self.repository, rerun or name, calib)
            stack.pop_all()  # all is well: stay open

    def close(self) -> None:
        """Close the connection to the database; done by itself when the butler is forgotten."""
        self._finalizer()

    def __enter__(self) -> Butler:
        """The butler; closed at the end of the block."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close it."""
        self.close()

    def get(self, datasetType: str, dataId: Any = None, immediate: bool = True, **keys: Any) -> Any:
        """The thing of a name (see README.md for all) and a dataId; keywords go over the dataId.

        The dataId must fit one thing; what it leaves open is looked up (field and ccd may do, where they are unique).
        NoResults if it is not there, ConfigError `unknown_target`, `bad_id`, `no_rerun`.
        """
        wanted = target.parse(datasetType)
        options: dict[str, Any] = {name: keys.pop(name) for name in _OPTIONS if name in keys}
        ids = dataid.merged(dataId, keys)
        if wanted.part == "filename":
            return [str(self.registry.path(wanted, ids))]
        if wanted.part == "md":
            return self._metadata(wanted, ids)
        if wanted.part == "len" and wanted.dataset in target.CATALOGS:
            from hscdb.fits.cutout import n_row

            return n_row(self.registry.path(wanted, ids))
        if wanted.part == "sub" and wanted.dataset in target.IMAGES:
            return self._image(wanted, ids, _box(options))
        whole = self._whole(wanted, ids)
        return whole if not wanted.part else _part(whole, wanted)

    def _whole(self, wanted: Target, ids: dict[str, Any]) -> Any:
        dataset = wanted.dataset
        if dataset == "camera":
            return CameraView(self.repository.camera)
        if dataset == "deepCoadd_skyMap":
            from hscdb.butler.skymap import SkyMap

            return SkyMap.read(self.registry)
        if dataset == "ccdExposureId_bits":
            return _ID_BITS
        if dataset == "ccdExposureId":
            row = self.registry.frame(ids, dataset)
            return int(row["visit"]) * 200 + int(row["ccd"])
        if dataset == "raw":
            return self._raw(ids)
        path = self.registry.path(wanted, ids)
        if dataset == "psf":
            return read.psf(path)
        if dataset in ("wcs", "fcr"):
            return read.header_only(path, partial(self._facts, int(path.stem.rsplit("-", 2)[-2])))
        if dataset == "jointcal_wcs":
            return read.header_only(path).getWcs()
        if dataset == "jointcal_photoCalib":
            return read.header_only(path).getPhotoCalib()
        if path.suffix != ".fits":
            return path
        return read.catalog(path) if read.is_table(path) else self._image(wanted, ids, None)

    def _image(self, wanted: Target, ids: dict[str, Any], box: Any) -> Any:
        if wanted.dataset == "raw":
            whole = self._raw(ids)
            return whole if box is None else whole[Box2I(box[:2], box[2:])]
        ccd = ids.get("ccd")
        detector = None if ccd is None else (lambda: CameraView(self.repository.camera)[ccd])
        return read.exposure(self.registry.path(wanted, ids), box, detector)

    def _raw(self, ids: dict[str, Any]) -> Any:
        row = self.registry.frame(ids, "raw")
        if row["kind"] != "raw":
            raise NoResults(
                f"butler: raw {dataid.describe(ids)}: the frame came as a catalog, without pixels.", code="no_raw"
            )
        ccd = self.repository.camera.ccds[int(row["ccd"])]
        path = self.repository.path / str(row["path"])
        if not path.exists():
            raise NoResults(f"butler: raw {dataid.describe(ids)}: the file {path} is gone.", code="no_raw")
        header = self._ingested(row)
        view = CameraView(self.repository.camera)
        facts = partial(self._facts, int(row["visit"]))
        return read.raw_exposure(path, int(row["hdu"]), ccd, header, lambda: view[ccd.ccd], facts)

    def _facts(self, visit: int) -> dict[str, Any]:
        """What the tables know of a visit, by the keywords of a calexp."""
        row = self.registry.ask("find_visit", visit=visit)[0]
        keys = ("EXPID", "FILTER", "EXPTIME", "MJD-AVG", "BORE-RA", "BORE-DEC", "BORE-ROTANG", "BORE-AIRMASS")
        return dict(zip(keys, row.tolist(), strict=True))

    def _ingested(self, row: Any) -> dict[str, Any]:
        """The header of a raw frame, from the tables."""
        rows = self.registry.ask("find_header", visit=int(row["visit"]), ccd=int(row["ccd"]))
        cards = rows[0]["header"] if len(rows) else {}
        return {name: pair[0] if not isinstance(pair[0], list) else pair[0][0] for name, pair in cards.items()}

    def _metadata(self, wanted: Target, ids: dict[str, Any]) -> PropertyList:
        if wanted.dataset == "raw":
            row = self.registry.frame(ids, "raw")
            return PropertyList(self._ingested(row), Path(str(row["path"])).name)
        return read.metadata(self.registry.path(wanted, ids))

    def datasetExists(self, datasetType: str, dataId: Any = None, write: bool = False, **keys: Any) -> bool:
        """Whether get would find its file."""
        wanted = target.parse(datasetType)
        try:
            if wanted.dataset in ("camera", "ccdExposureId_bits"):
                return True
            if wanted.dataset in ("ccdExposureId", "deepCoadd_skyMap"):
                self._whole(Target(wanted.dataset), dataid.merged(dataId, keys))
                return True
            return self.registry.path(wanted, dataid.merged(dataId, keys)).exists()
        except NoResults:
            return False

    def getUri(self, datasetType: str, dataId: Any = None, write: bool = False, **keys: Any) -> str:
        """The path of the file. NoResults."""
        return str(self.registry.path(target.parse(datasetType), dataid.merged(dataId, keys)))

    def getKeys(self, datasetType: str | None = None, level: str | None = None, tag: Any = None) -> dict[str, type]:
        """{key: type} of the dataId of a dataset."""
        keys = {key: kind for key, kind in dataid.TYPES.items() if key != "dataType"}
        if datasetType is not None and target.parse(datasetType).has_tract:
            keys["tract"] = int
        return keys

    def getDatasetTypes(self) -> list[str]:
        """All datasets."""
        return target.known()

    def subset(self, datasetType: str, level: str | None = None, dataId: Any = None, **keys: Any) -> ButlerSubset:
        """DataRefs of all frames that fit (of products by tract: of all that are there). Whether there is a file is not
        looked at: ask datasetExists."""
        wanted = target.parse(datasetType)
        return ButlerSubset(DataRef(self, datasetType, each) for each in self._ids(wanted, dataid.merged(dataId, keys)))

    def _ids(self, wanted: Target, ids: dict[str, Any]) -> list[dict[str, Any]]:
        frames = self.registry.frames(ids, None if wanted.dataset == "raw" else "science")
        found = dataid.of_rows(frames)
        if not wanted.has_tract:
            return found
        by_frame = {(each["visit"], each["ccd"]): each for each in found}
        tract = ids.get("tract")
        wanted_tracts = tract if isinstance(tract, list) else None if tract is None else [tract]
        rows = self.registry.products(wanted, {})
        return [
            by_frame[int(row["visit"]), int(row["ccd"])] | {"tract": int(row["tract"])}
            for row in rows
            if (int(row["visit"]), int(row["ccd"])) in by_frame
            and not row["is_swept"]
            and (wanted_tracts is None or int(row["tract"]) in wanted_tracts)
        ]

    def dataRef(self, datasetType: str, level: str | None = None, dataId: Any = None, **keys: Any) -> DataRef:
        """The DataRef of a dataId that fits one frame; a tract is kept."""
        ids = dataid.merged(dataId, keys)
        row = self.registry.frame({key: entry for key, entry in ids.items() if key != "tract"}, datasetType)
        tract = {"tract": ids["tract"]} if "tract" in ids else {}
        return DataRef(self, datasetType, dataid.of_rows(np.array([row], row.dtype))[0] | tract)

    def queryMetadata(
        self, datasetType: str, format: str | Sequence[str] | None = None, dataId: Any = None, *more: Any, **keys: Any
    ) -> list[Any]:
        """The different values of a key (format = its name), or tuples of those of several, of all that fits."""
        if isinstance(dataId, str | list | tuple):  # (type, level, format, dataId) of old releases
            format, dataId = dataId, (more[0] if more else None)
        names = [format] if isinstance(format, str) else list(format or ("visit",))
        allowed = self.getKeys(datasetType)
        for name in names:
            if name not in allowed:
                raise ConfigError(
                    f"butler: queryMetadata: no key '{name}' in {datasetType}. Keys: {', '.join(allowed)}.",
                    code="unknown_key",
                )
        rows = self._ids(target.parse(datasetType), dataid.merged(dataId, keys))
        found = sorted({tuple(row.get(name) for name in names) for row in rows}, key=_order)
        return [each[0] for each in found] if format is None or isinstance(format, str) else found

    def put(self, *args: Any, **more: Any) -> None:
        """Refused: results come from stages, which keep account of what made them."""
        raise ConfigError(
            "butler: put: products are written by stages alone. Write files of your own with writeFits.", code="no_put"
        )

    def __repr__(self) -> str:
        run = self.registry.run
        return f"Butler({str(self.repository.path)!r}, rerun={None if run is None else str(run['name'])!r})"


def _box(options: Mapping[str, Any]) -> tuple[int, int, int, int]:
    """x0, y0, width, height of the option bbox; products begin at (0, 0), so PARENT and LOCAL are one."""
    box, origin = options.get("bbox"), options.get("imageOrigin", PARENT)
    if not isinstance(box, Box2I) or origin not in (PARENT, LOCAL):
        raise ConfigError(
            "butler: _sub: needs bbox=Box2I(Point2I(x0, y0), Extent2I(width, height)), imageOrigin PARENT or LOCAL.",
            code="bad_box",
        )
    return box.x0, box.y0, box.width, box.height


def _order(row: tuple[Any, ...]) -> tuple[tuple[bool, Any], ...]:
    """Missing values first."""
    return tuple((entry is not None, 0 if entry is None else entry) for entry in row)


def _part(whole: Any, wanted: Target) -> Any:
    """What a suffix means. ConfigError `unknown_target` where the thing has no such part."""
    ways = {
        "wcs": "getWcs", "header_wcs": "getWcs", "psf": "getPsf", "calib": "getPhotoCalib",
        "photoCalib": "getPhotoCalib", "visitInfo": "getVisitInfo", "filter": "getFilter", "detector": "getDetector",
        "bbox": "getBBox", "schema": "getSchema", "len": "__len__",
    }  # fmt: skip
    way = getattr(whole, ways.get(wanted.part, ""), None)
    if way is None or isinstance(whole, Path):
        kind, has = type(whole).__name__, [part for part, name in ways.items() if hasattr(whole, name)]
        raise ConfigError(
            f"butler: {wanted.dataset}_{wanted.part}: {wanted.dataset} is of type {kind}, which has no _{wanted.part}. "
            f"There is {wanted.dataset}{''.join(f', {wanted.dataset}_{part}' for part in has)}.",
            code="unknown_target",
        )
    return way()
