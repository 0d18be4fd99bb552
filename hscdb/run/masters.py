"""Which master holds for a frame: one, or an error that names the nearest."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hscdb.db.queries import query
from hscdb.errors import InputError
from hscdb.fits import product

if TYPE_CHECKING:
    import numpy.typing as npt

    from hscdb.run.stage import Work

find_master = query("master/find_master")


def find(work: Work, kind: str, ccd: int, filter: str | None, night: date | None) -> Any:
    """The master (record of sql/master/find_master) of a kind that holds for a ccd, filter and night.

    It is looked for in the calibration run and those it builds on; without one, in the run itself.
    InputError `no_master`, naming the night and the nearest master there is.
    """
    found = _nearest(work, kind, ccd, filter, night)
    if found is not None and found["is_valid"]:
        return found
    who = " ".join(f"{name}={entry}" for name, entry in work.unit.items() if entry is not None)
    of = f" for {filter}" if kind in ("flat", "fringe", "sky") else ""
    if night is None:
        nearest = "the frame has no date"
    elif found is None:
        nearest = f"there is none of ccd {ccd} on any night"
    elif found["first_night"] > night:
        nearest = f"the nearest begins {found['first_night']}"
    else:
        nearest = f"the nearest ends {found['last_night']}"
    more = f" filter={filter}" if of else ""
    raise InputError(
        f"{who}: no certified {kind}{of} on {night}; {nearest}. "
        f"Make one with `hscdb master REPO {kind} --id ccd={ccd}{more}`, or skip it with "
        f"`--config {'isr' if 'visit' in work.unit else 'master'}.do_{kind}=false`.",
        code="no_master",
    )


def look(work: Work, kind: str, ccd: int, filter: str | None, night: date | None) -> Any | None:
    """As `find`, for masters that can be done without: None if none holds."""
    found = _nearest(work, kind, ccd, filter, night)
    return found if found is not None and found["is_valid"] else None


def _nearest(work: Work, kind: str, ccd: int, filter: str | None, night: date | None) -> Any | None:
    run_id = work.run_id if work.calib_run_id is None else work.calib_run_id
    return find_master.one(work.connection, calib_run_id=run_id, kind=kind, ccd=ccd, filter=filter, night=night)


def read(work: Work, found: Any, shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Pixels (ny, nx) of a master found. InputError `wrong_size` if they are not those of the ccd, `no_file`."""
    path = work.repository / Path(str(found["path"]))
    pixels: npt.NDArray[np.float32] = product.read_plane(path, "IMAGE")
    if pixels.shape != shape:
        raise InputError(
            f"{path}: the master has {pixels.shape[1]} x {pixels.shape[0]} pixels, the ccd {shape[1]} x {shape[0]}. "
            "Make it anew.",
            code="wrong_size",
        )
    return pixels
