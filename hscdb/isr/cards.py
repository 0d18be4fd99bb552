"""Header cards of a clean frame: the raw frame's own without its WCS, hscPipe's, and ours."""

from collections.abc import Mapping
from typing import Any

from hscdb.camera.model import Ccd
from hscdb.isr import sky

# A raw frame's own WCS is good to minutes of arc only (camera document, section 6): it must not be taken for one.
_NOT_COPIED = (
    "CTYPE CRVAL CRPIX CDELT CUNIT CROTA CD1_ CD2_ PC1_ PC2_ PC001 PC002 PV1_ PV2_ A_ B_ AP_ BP_ LTV LTM "
    "LONGPOLE LATPOLE WCS RADECSYS BLANK BUNIT COMMENT HISTORY EXTNAME EXTTYPE INHERIT DATE"
).split()


def cards(
    ccd: Ccd, header: Mapping[str, Any], visit: int, facts: Any, level: sky.Sky, run_id: int, task_id: int
) -> list[tuple[str, Any, str]]:
    """Cards of HDU 0. header: of the raw frame; facts: record of sql/isr/find_frame; level: the sky measured."""
    copied = [
        (key, content, "") for key, content in header.items()
        if key and not key.startswith(tuple(_NOT_COPIED)) and not isinstance(content, dict)
    ]  # fmt: skip
    mesh = sky.MESH_PIX
    return [
        *copied,
        ("EXPTIME", facts["exposure_s"], "[s] exposure time"),
        ("DARKTIME", facts["dark_s"], "[s] dark time"),
        ("FILTER", facts["filter"], "physical filter"),
        ("DETNAME", ccd.name, "name of the ccd"),
        ("DETSER", ccd.ccd, "number of the ccd"),
        ("EXPID", visit, "visit"),
        ("MJD-AVG", facts["obs_mjd"], "[d] MJD (TAI), middle of the exposure"),
        ("TIMESYS", "TAI", "time system of MJD-AVG"),
        ("BORE-RA", facts["ra"], "[deg] boresight, ICRS"),
        ("BORE-DEC", facts["dec"], "[deg] boresight, ICRS"),
        ("BORE-ROTANG", facts["rotator_deg"], "[deg] position angle of the instrument"),
        ("BORE-AIRMASS", facts["airmass"], "airmass"),
        ("BUNIT", "electron", "unit of the pixels"),
        ("SKYLEVEL", level.level, "[electron] median sky"),
        ("SKYSIGMA", level.sigma, "[electron] clipped scatter of the sky"),
        ("FLATNESS_PP", level.flatness_pp, "peak to peak of the sky mesh over its median"),
        ("FLATNESS_RMS", level.flatness_rms, "rms of the sky mesh over its median"),
        ("FLATNESS_NGRIDS", f"{level.n_x}x{level.n_y}", "meshes"),
        ("FLATNESS_MESHX", mesh, "[pix] width of a mesh"),
        ("FLATNESS_MESHY", mesh, "[pix] height of a mesh"),
        ("HDB_RUN", run_id, "run of hscdb"),
        ("HDB_TASK", task_id, "task of hscdb"),
    ]
