"""Maps of bad pixels: what masters of dark and flat show, merged with the camera's defect list, as rows and a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hscdb.db import copy
from hscdb.db.queries import query
from hscdb.errors import InputError
from hscdb.fits import product
from hscdb.fits.hdu import Table
from hscdb.image.mask import BAD, NO_DATA
from hscdb.image.readout import defects
from hscdb.master import badpix
from hscdb.master.badpix import Limits
from hscdb.run import masters

if TYPE_CHECKING:
    from hscdb.camera.model import Ccd
    from hscdb.run.stage import Work

__all__ = ["Limits", "make", "store"]

read_filters = query("master/read_filters")
link_inputs = query("master/link_inputs")

_BOX = [("x0_pix", "i4"), ("y0_pix", "i4"), ("width_pix", "i4"), ("height_pix", "i4")]


@dataclass(frozen=True)
class Found:
    """rows: boxes and causes; master_ids: masters they were found in; facts: n_input, mean_level, mean_level_err."""

    rows: Any
    master_ids: list[int]
    facts: dict[str, Any]


def make(work: Work, ccd: Ccd, group: Any, limits: Limits, ids: dict[str, Any], *, use_list: bool) -> Found:
    """Find the bad pixels of a ccd in its masters of the night `calib_date` and write them with those of the list.

    group : raw darks and flats; their filters say which flats are looked at. InputError `no_master` without any.
    """
    night, shape = ids["calib_date"], (ccd.height, ccd.width)
    dark = masters.look(work, "dark", ccd.ccd, None, night)
    filters = read_filters(work.connection, visits=group["visit"].tolist())["filter"]
    flats = [masters.look(work, "flat", ccd.ccd, str(name), night) for name in filters]
    used = [one for one in (dark, *flats) if one is not None]
    if not used:
        raise InputError(
            f"master defects ccd={ccd.ccd}: there is no master dark or flat that holds on {night}. "
            f"Make one with `hscdb master REPO dark --id ccd={ccd.ccd}`.",
            code="no_master",
        )
    boxes = work.camera.defects_on(ccd.ccd, str(night)) if use_list else ()
    bits = np.zeros(shape, np.int32)
    defects.mark(bits, boxes)
    defects.mark_unlit(bits, work.camera, ccd)
    found = badpix.find(
        None if dark is None else masters.read(work, dark, shape),
        [masters.read(work, one, shape) for one in flats if one is not None],
        bits & BAD != 0, bits & NO_DATA != 0, limits,
    )  # fmt: skip
    rows = np.zeros(len(boxes) + len(found), [*_BOX, ("cause", "U8")])
    for n, (box, cause) in enumerate([*((box, "list") for box in dict.fromkeys(boxes)), *found]):
        rows[n] = (box.x0, box.y0, box.width, box.height, cause)
        defects.mark(bits, [box])
    rows = rows[rows["width_pix"] > 0]
    cards = [
        ("OBSTYPE", "defects", "kind of master"),
        ("CALIB_ID", f"filter=NONE ccd={ccd.ccd} calibDate={night}", "which master"),
        ("CALIBDATE", str(night), "middle night of the inputs"),
        ("DETSER", ccd.ccd, "number of the ccd"),
        ("NINPUT", len(used), "masters looked at"),
        ("HDB_RUN", work.run_id, "run of hscdb"),
        ("HDB_TASK", work.task_id, "task of hscdb"),
    ]
    with work.files.writing("defects", **ids) as target:
        product.write_header(target, cards, [Table("DEFECTS", rows, dict.fromkeys(dict(_BOX), "pix"))])
    part = float(np.mean(bits & BAD != 0))
    facts = {"n_input": len(used), "mean_level": part, "mean_level_err": None}
    return Found(rows, [int(one["master_id"]) for one in used], facts)


def store(work: Work, master_id: int, ccd: int, found: Found) -> None:
    """The rows of a map and the frames that its masters were built from."""
    rows = np.zeros(len(found.rows), [("master_id", "i8"), *_BOX, ("cause", "O")])
    for name in found.rows.dtype.names:
        rows[name] = found.rows[name]
    rows["master_id"] = master_id
    copy.write(work.connection, "master_defect", rows)
    link_inputs(work.connection, master_id=master_id, ccd=ccd, from_ids=found.master_ids)
