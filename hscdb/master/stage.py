"""master: raw frames -> one clean frame of their kind (or a map of bad pixels), and the nights for which it holds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hscdb.db.queries import query
from hscdb.errors import DataError, InputError
from hscdb.fits import header as headers
from hscdb.fits import product, raw
from hscdb.image import stats
from hscdb.image.mask import BAD, NO_DATA
from hscdb.image.plane import Image
from hscdb.image.readout import defects
from hscdb.image.readout.frame import Steps
from hscdb.master import combine, smooth, stage_defects
from hscdb.master.read import OF_SKY, Recipe
from hscdb.master.stage_config import Config
from hscdb.run import levels, masters
from hscdb.run.stage import Funnel, Work, stage

if TYPE_CHECKING:
    import numpy.typing as npt

    from hscdb.camera.model import Ccd

read_inputs = query("master/read_inputs")
delete_master = query("master/delete_master")
mark_neighbors = query("master/mark_neighbors")
insert_master = query("master/insert_master")
insert_master_input = query("master/insert_master_input")

KINDS = ("bias", "dark", "flat", "fringe", "sky", "defects")
OF_FILTER = ("flat", *OF_SKY)


@stage("master", per="ccd", config=Config, reads=("frame", "visit"), writes=("master", "master_input", "master_defect"))
def run(work: Work, config: Config) -> Funnel:
    """Combine raw frames of a ccd into masters, one for each group of nights, and certify them."""
    kind, ccd = str(work.unit["kind"]), work.camera.ccds[int(work.unit["ccd"])]
    filter_ = work.unit.get("filter") if kind in OF_FILTER else None
    if kind not in KINDS:
        raise InputError(f"master {kind}: cannot be made here (one of {', '.join(KINDS)}).", code="bad_kind")
    frames = work.options.get("frames")
    visits = None if frames is None else np.unique(frames["visit"]).tolist()
    inputs = read_inputs(work.connection, kind=kind, ccd=ccd.ccd, filter=filter_, visits=visits)
    number = combine.groups(np.array([night.toordinal() for night in inputs["night"]], np.int64), config.night_gap_days)
    groups = [inputs[number == one] for one in np.unique(number)]
    groups = [group for group in groups if len(group) >= config.n_frame_min]
    if not groups:
        of = f" for {filter_}" if filter_ else ""
        raise InputError(
            f"master {kind} ccd={ccd.ccd}{of}: {len(inputs)} raw frames, {config.n_frame_min} needed "
            f"within {config.night_gap_days} days. Ingest more, or lower master.n_frame_min.",
            code="too_few_frames",
        )
    n_rejected = sum(_make(work, config, kind, ccd, filter_, group) for group in groups)
    return {
        "n_frame": len(inputs), "n_frame_used": sum(map(len, groups)), "n_master": len(groups),
        "n_pixel_rejected": n_rejected,
    }  # fmt: skip


def _make(work: Work, config: Config, kind: str, ccd: Ccd, filter_: str | None, group: Any) -> int:
    """Combine, write and certify one master. Returns the number of pixels clipped."""
    ids = {"ccd": ccd.ccd, "filter": filter_, "calib_date": group["night"][len(group) // 2]}
    keys = {"run_id": work.run_id, "kind": kind} | ids
    certify = {"task_id": work.task_id, "validity_days": config.validity_days, "path": product.path(kind, **ids)}
    if kind == "defects":
        limits = stage_defects.Limits(config.hot_min_e_s, config.hot_n_sigma, config.response_max)
        found = stage_defects.make(work, ccd, group, limits, ids, use_list=config.do_defects)
        delete_master(work.connection, **keys)
        mark_neighbors(work.connection, **keys)
        certified = insert_master.one(work.connection, **keys, **certify, **found.facts)
        stage_defects.store(work, int(certified["master_id"]), ccd.ccd, found)
        return 0
    read = _reader(work, config, kind, ccd, filter_, ids["calib_date"])
    scales = _scales(work, config, kind, filter_, group)
    used, stack, each = _combined(read, config, kind, group, scales, (ccd.height, ccd.width))
    pixels = _finished(work, config, kind, ccd, combine.result(stack), ids["calib_date"])
    level, level_err, _ = stats.clipped(pixels[::4, ::4])
    with work.files.writing(kind, **ids) as target:
        _write(target, work, kind, pixels, ids, len(used))
    delete_master(work.connection, **keys)
    mark_neighbors(work.connection, **keys)
    certified = insert_master.one(
        work.connection, **keys, **certify, n_input=len(used), mean_level=level_err if kind == "fringe" else level,
        mean_level_err=float(np.std(each / scales[used])) if len(used) > 1 else level_err,
    )  # fmt: skip
    rows = np.zeros(len(used), [("visit", "i8"), ("mean_level", "f8"), ("weight", "f8")])
    rows["visit"], rows["mean_level"], rows["weight"] = group["visit"][used], each, scales[used]
    insert_master_input.many(work.connection, rows, master_id=int(certified["master_id"]), ccd=ccd.ccd)
    return int(stack.n_rejected)


def _reader(
    work: Work, config: Config, kind: str, ccd: Ccd, filter_: str | None, night: date
) -> Callable[[Any], tuple[Image, float | None]]:
    """How a raw frame of this kind is read: its electrons, and the level of its sky if it is a science frame."""
    shape = (ccd.height, ccd.width)
    wanted = {
        "bias": kind != "bias" and config.do_bias,
        "dark": kind in OF_FILTER and config.do_dark,
        "flat": kind in OF_SKY and config.do_flat,
    }
    pixels = {
        one: masters.read(work, masters.find(work, one, ccd.ccd, filter_, night), shape)
        for one, is_wanted in wanted.items()
        if is_wanted
    }
    found = masters.look(work, "fringe", ccd.ccd, filter_, night) if kind == "sky" else None
    if found is not None:  # else the filter has no fringes, or they stay in the sky
        pixels["fringe"] = masters.read(work, found, shape)
    is_lit = kind != "bias"  # a bias is kept in adu as it was read: no response to correct
    steps = Steps(do_linearity=config.do_linearity and is_lit, do_crosstalk=config.do_crosstalk and is_lit)
    boxes = work.camera.defects_on(ccd.ccd, str(night)) if config.do_defects else ()
    recipe = Recipe(kind, work.camera, steps, boxes, **pixels)

    def read(row: Any) -> tuple[Image, float | None]:
        path, hdu = work.repository / str(row["path"]).partition("#")[0], int(row["hdu"])
        own = recipe.ccd(raw.ccd_in(work.camera, ccd, headers.read_header(path, hdu)))
        return recipe.image(raw.read_raw(path, hdu, own), own, _seconds(row["dark_s"]))

    return read


def _seconds(given: Any) -> float:
    return float(given) if np.isfinite(given) else 0.0


def _scales(work: Work, config: Config, kind: str, filter_: str | None, group: Any) -> npt.NDArray[np.float64]:
    """What each frame is divided by: 1 (bias), seconds (dark), electrons at the mean of the mosaic (flat, sky).

    Infinite where it is the frame's own sky, which is only known when it is read (fringe).

    The levels of all science ccds of the visits are looked at, so that each ccd can be done by itself and all come to
    the same answer. Those of the sky are over the mean of each ccd's flat.
    """
    if kind == "bias":
        return np.ones(len(group))
    if kind == "fringe":
        return np.full(len(group), np.inf)
    if kind == "dark":
        seconds = np.array([_seconds(one) for one in group["dark_s"]])
        if not (seconds > 0).all():
            raise InputError(
                f"master dark: visit {group['visit'][seconds <= 0][0]} has no dark time. Leave it out.",
                code="no_dark_time",
            )
        return seconds
    night = group["night"][0]
    rows, found = levels.mosaic(work, group["visit"].tolist(), night)
    if kind == "sky" and config.do_flat:
        found = levels.flattened(work, rows["ccd"], found, filter_, night)
    exposure, _ = combine.mosaic_levels(rows["visit"], rows["ccd"], found, kind)
    return np.array([exposure.get(int(visit), np.nan) for visit in group["visit"]])


def _combined(
    read: Callable[[Any], tuple[Image, float | None]],
    config: Config,
    kind: str,
    group: Any,
    scales: npt.NDArray[np.float64],
    shape: tuple[int, int],
) -> tuple[npt.NDArray[np.int64], combine.Stack, npt.NDArray[np.float64]]:
    """Stack the frames with a usable scale. Returns their indices, the stack and their median levels.

    Scales that are the frames' own sky are filled in.
    """
    stack, used, each = combine.begin(shape), [], []
    for one in range(len(group)):
        if not scales[one] > 0:
            continue
        image, sky = read(group[one])
        if np.isinf(scales[one]) and sky is not None:
            scales[one] = sky
        if np.isfinite(scales[one]) and scales[one] > 0:
            combine.look(stack, image, float(scales[one]))
            used.append(one)
            each.append(stats.median(image.data[::8, ::8]) if sky is None else sky)
    if not used:
        raise DataError(f"master {kind}: no frame has a level to divide by. Are these {kind}s?", code="no_flat_level")
    combine.center(stack, lowest_of_two=kind == "dark")
    for one in used:
        combine.add(stack, read(group[one])[0], float(scales[one]), config.n_sigma, config.floor)
    return np.array(used), stack, np.array(each)


def _finished(
    work: Work, config: Config, kind: str, ccd: Ccd, pixels: npt.NDArray[np.float32], night: date
) -> npt.NDArray[np.float32]:
    """A flat is no number where no light falls; dead amplifiers are neutral (0, or 1 in a flat), as they are BAD.

    Fringes and sky are smoothed: their patterns are wide, and their noise would go into every frame.
    """
    boxes = work.camera.defects_on(ccd.ccd, str(night)) if config.do_defects else ()
    bits = np.zeros(pixels.shape, np.int32)
    bad = defects.bad_amplifiers(ccd, boxes)
    defects.mark(bits, [amp.box for amp in ccd.amplifiers if amp.amp in bad])
    if kind == "fringe":
        pixels = smooth.fringe(pixels, config.fringe_smooth_pix)
    if kind == "sky":
        pixels = smooth.sky(pixels, config.sky_mesh_pix)
    pixels[(bits & BAD != 0) | ~np.isfinite(pixels)] = 1.0 if kind in ("flat", "sky") else 0.0
    if kind == "flat" and config.do_vignette:
        defects.mark_unlit(bits, work.camera, ccd)
        pixels[bits & NO_DATA != 0] = np.nan
    return pixels


def _write(
    target: Path, work: Work, kind: str, pixels: npt.NDArray[np.float32], ids: dict[str, Any], n_input: int
) -> None:
    filter_ = ids["filter"] or "NONE"
    cards = [
        ("OBSTYPE", kind, "kind of master"),
        ("CALIB_ID", f"filter={filter_} ccd={ids['ccd']} calibDate={ids['calib_date']}", "which master"),
        ("CALIBDATE", str(ids["calib_date"]), "middle night of the inputs"),
        ("FILTER", filter_, "physical filter"),
        ("DETSER", ids["ccd"], "number of the ccd"),
        ("BUNIT", {"bias": "adu", "dark": "electron/s"}.get(kind, ""), "unit of the pixels"),
        ("NINPUT", n_input, "raw frames combined"),
        ("HDB_RUN", work.run_id, "run of hscdb"),
        ("HDB_TASK", work.task_id, "task of hscdb"),
    ]
    product.write_plane(target, pixels, cards)
