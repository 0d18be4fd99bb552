"""What `--show data` prints of frames, visit by visit: a whole archive (1e5 frames) must be listed in a second."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hscdb.db.engine import transaction
from hscdb.db.queries import query
from hscdb.run.select import Selection, data_id_line

if TYPE_CHECKING:
    from sqlalchemy import Engine

_SHARED = ("filter", "field", "pointing", "night", "tai_date", "exposure_s")


def of_frames(engine: Engine, selection: Selection) -> list[str]:
    """The line of each raw science frame of a selection, as data_id_line makes it, by visit and CCD."""
    asked: dict[str, Any] = {"ids": list(selection.ids), "where_visits": None, "where_ccds": None}
    if selection.where is not None:
        from hscdb.db.where import frames

        found = frames(engine, selection.where)
        asked |= {"where_visits": found["visit"], "where_ccds": found["ccd"]}
    with transaction(engine) as connection:
        rows = query("run/read_frame_lists")(connection, kind="raw", data_type="science", **asked)
    lines: list[str] = []
    for visit, ccds, *shared in zip(
        rows["visit"].tolist(), rows["ccds"], *(rows[k].tolist() for k in _SHARED), strict=True
    ):
        facts = {"visit": visit, "ccd": 0} | dict(zip(_SHARED, shared, strict=True))
        head, _, tail = data_id_line(facts).partition("'ccd': 0")
        lines += [f"{head}'ccd': {ccd}{tail}" for ccd in ccds]
    return lines
