"""Header cards of a clean frame: the raw frame's own without its WCS, hscPipe's, and ours."""

import math
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from hscdb.camera.model import Camera, Ccd
from hscdb.isr import sky

# A raw frame's own WCS is good to minutes of arc only (camera document, section 6): it must not be taken for one.
_NOT_COPIED = (
    "CTYPE CRVAL CRPIX CDELT CUNIT CROTA CD1_ CD2_ PC1_ PC2_ PC001 PC002 PV1_ PV2_ A_ B_ AP_ BP_ LTV LTM "
    "LONGPOLE LATPOLE WCS RADECSYS BLANK BUNIT COMMENT HISTORY EXTNAME EXTTYPE INHERIT DATE"
).split()


Cards = list[tuple[str, Any, str]]
_MJD_0 = datetime(1858, 11, 17)
_ROUGH = 0.2  # part of FLUXMAG0 that the camera's figure may be off by, thin clouds and an old mirror included


def cards(
    camera: Camera, ccd: Ccd, header: Mapping[str, Any], visit: int, facts: Any, level: sky.Sky, run_id: int,
    task_id: int, do_rough_zero_point: bool = True,
) -> Cards:  # fmt: skip
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
        *_visit_info(camera, header, facts),
        *(_rough_zero_point(camera, facts) if do_rough_zero_point else ()),
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


def _visit_info(camera: Camera, header: Mapping[str, Any], facts: Any) -> Cards:
    """What else hscPipe tells of a visit: place and weather by the camera's rules, the middle of the exposure."""
    found: Cards = [("EXPINFO_V", 0, "the zero point is FLUXMAG0"), ("ROTTYPE", "SKY", "BORE-ROTANG is on the sky")]
    with suppress(ValueError, OverflowError):  # NaN, and what is no date of the years 1 to 9999
        middle = _MJD_0 + timedelta(days=float(facts["obs_mjd"]))
        found.append(("DATE-AVG", middle.isoformat(timespec="microseconds"), "TAI, middle of the exposure"))
    site = camera.settings.get("site", {})
    for card, name, text in (
        ("OBS-LONG", "longitude_deg", "[deg] longitude of the telescope, east positive"),
        ("OBS-LAT", "latitude_deg", "[deg] latitude of the telescope"),
        ("OBS-ELEV", "height_m", "[m] height of the telescope"),
    ):
        if name in site:
            found.append((card, float(site[name]), text))
    for card, rule in camera.settings.get("visit_info", {}).items():
        try:
            content = float(header[rule["keyword"]]) * rule.get("factor", 1.0) + rule.get("offset", 0.0)
        except (KeyError, TypeError, ValueError):
            continue  # no number in this header
        if math.isfinite(content):
            turn = rule.get("turn", math.inf)
            content = round(content % turn if "turn" in rule else content, 9)  # 46.7, and not 46.69999999999999
            found.append((card, 0.0 if content == turn else content, rule.get("text", "")))
    return found


def _rough_zero_point(camera: Camera, facts: Any) -> Cards:
    """FLUXMAG0 of the camera's figure for the filter, if it has one; calibrate replaces it by that of the stars."""
    known = camera.filter_of(str(facts["filter"] or ""))
    if known is None or known.mag_1s is None or not facts["exposure_s"] > 0.0:
        return []
    counts = 10.0 ** (0.4 * known.mag_1s) * float(facts["exposure_s"])
    return [
        ("FLUXMAG0", counts, "[electron] rough: of the camera's table, not of stars"),
        ("FLUXMAG0ERR", _ROUGH * counts, "[electron] one sigma of FLUXMAG0"),
    ]
