"""isr: raw frame -> clean image in electrons, with variance and mask."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from hscdb.camera.model import Box
from hscdb.db import copy
from hscdb.db.queries import query
from hscdb.errors import DataError, HscdbError, InputError
from hscdb.fits import header as headers
from hscdb.fits import product, raw
from hscdb.image import pattern
from hscdb.image.readout import defects, frame, saturation
from hscdb.image.readout.frame import Steps
from hscdb.isr import amplifier, brighter_fatter, interpolate, sky, vet
from hscdb.isr.cards import cards
from hscdb.isr.stage_config import Config
from hscdb.run import levels, masters
from hscdb.run.stage import Funnel, Work, stage

if TYPE_CHECKING:
    import numpy.typing as npt

    from hscdb.camera.model import Camera, Ccd
    from hscdb.image.plane import Image

    Plane = npt.NDArray[np.float32]

find_frame = query("isr/find_frame")
read_master_defects = query("isr/read_master_defects")
insert_frame_isr = query("isr/insert_frame_isr")

_REASON = {
    "empty": "empty_frame", "background": "high_background", "high_pixels": "too_many_high_pixels",
    "fixed_value": "fixed_value", "histogram": "histogram_anomaly", "acf": "blurred",
}  # fmt: skip
SIGMA_PER_FWHM = 0.42466090014400953


@dataclass(frozen=True)
class Used:
    """Pixels of the masters in use (None: not used), the boxes of bad pixels, and {kind: master_id or None}."""

    bias: Plane | None = None
    dark: Plane | None = None
    flat: Plane | None = None
    fringe: Plane | None = None
    sky: Plane | None = None
    boxes: tuple[Box, ...] = ()
    ids: dict[str, int | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Finished:
    """What the last steps found: sky; fringes [electron of sky], one sigma; charge moved, scale of the master sky [e].

    NaN: not done.
    """

    sky: sky.Sky
    fringe_e: float = math.nan
    fringe_e_err: float = math.nan
    charge_moved_e: float = math.nan
    sky_scale_e: float = math.nan


@stage("isr", per="frame", config=Config, reads=("frame", "visit", "master"), writes=("frame_isr", "frame_vet"))
def run(work: Work, config: Config) -> Funnel:
    """Clean a raw frame: checks, saturation, overscan, bias, linearity, crosstalk, gain, dark, flat, fringes, holes."""
    visit, ccd = int(work.unit["visit"]), work.camera.ccds[work.unit["ccd"]]
    facts = find_frame.one(work.connection, visit=visit, ccd=ccd.ccd)
    if facts is None:
        raise InputError(
            f"visit={visit} ccd={ccd.ccd}: no raw frame is known. Ingest it with `hscdb ingest REPO FILES`.",
            code="no_frame",
        )
    path = work.repository / str(facts["path"]).partition("#")[0]
    header = headers.read_header(path, int(facts["hdu"]))
    ccd = raw.ccd_in(work.camera, ccd, header)
    pixels = raw.read_raw(path, int(facts["hdu"]), ccd)
    used = _masters(work, config, ccd, facts)
    _read_ahead(work, config)
    if config.do_vet:
        _vet(work, config, ccd, pixels, used.boxes)
    bad = defects.bad_amplifiers(ccd, used.boxes)
    adu = frame.to_adu(pixels, ccd, _steps(config), used.bias, bad)
    if len(adu.bad) == len(ccd.amplifiers):
        raise DataError(
            f"visit={visit} ccd={ccd.ccd}: all {len(adu.bad)} amplifiers are dead, blank or saturated. "
            "Leave the ccd out.",
            code="all_bad",
        )
    defects.mark(adu.mask, used.boxes)
    if config.do_vignette:
        defects.mark_unlit(adu.mask, work.camera, ccd)
    image = frame.to_electrons(adu, work.camera, ccd, _steps(config), used.dark, float(facts["dark_s"]), used.flat)
    silent = amplifier.silent(image, ccd, config.amplifier_ratio_min)
    defects.mark(image.mask, [amp.box for amp in ccd.amplifiers if amp.amp in silent])
    scale, n_ccd = levels.sky_scale(work, visit, facts["filter"], facts["night"]) if config.do_sky else (math.nan, 0)
    found = finish(image, work.camera, config, used, float(facts["dark_s"]), scale if n_ccd > 1 else math.nan)
    n_saturated, n_bad, n_no_data = sky.count(image.mask)
    insert_frame_isr(
        work.connection, run_id=work.run_id, task_id=work.task_id, visit=visit, ccd=ccd.ccd,
        overscan_adu=[adu.level_adu[a.amp] for a in ccd.amplifiers],
        read_noise_e=list(adu.read_noise_e(ccd, config.do_empirical_read_noise)),
        gain_e_per_adu=[a.gain_e_per_adu for a in ccd.amplifiers],
        **{f"{kind}_master_id": number for kind, number in used.ids.items()},
        fringe_e=found.fringe_e, fringe_e_err=found.fringe_e_err, charge_moved_e=found.charge_moved_e,
        sky_scale_e=found.sky_scale_e, n_sky_ccd=max(n_ccd, 1) if math.isfinite(found.sky_scale_e) else None,
        sky_level_e=found.sky.level, sky_sigma_e=found.sky.sigma,
        flatness_pp=found.sky.flatness_pp, flatness_rms=found.sky.flatness_rms,
        n_saturated=n_saturated, n_bad=n_bad, n_no_data=n_no_data,
    )  # fmt: skip
    work.carry["postISRCCD"] = image
    work.carry["cards"] = cards(
        work.camera, ccd, header, visit, facts, found.sky, work.run_id, work.task_id, config.do_rough_zero_point
    )
    if config.keep_image or "detect" not in work.options.get("followed_by", ()):  # else it goes by work.carry
        with work.files.writing("postISRCCD", visit=visit, ccd=ccd.ccd) as target:
            product.write_image(target, image, work.carry["cards"])
    return {
        "n_pixel": image.data.size, "n_saturated": n_saturated, "n_bad": n_bad, "n_no_data": n_no_data,
        "n_amplifier_bad": len(adu.bad | silent),
    }  # fmt: skip


def finish(
    image: Image, camera: Camera, config: Config, used: Used | None = None, dark_s: float = 0.0,
    sky_scale_e: float = math.nan,
) -> Finished:  # fmt: skip
    """Widen trails, take patterns of the sky off, measure it, interpolate, undo brighter-fatter; in place.

    sky_scale_e : what the master sky is multiplied with; NaN: what this frame says.
    DataError `no_pixels` if no pixel can be used.
    """
    used = used or Used()
    if config.do_saturation:
        saturation.spread(image.mask, config.do_widen_trails, config.grow_saturation_pix)
    level = sky.measure(image.data, image.mask)
    if not math.isfinite(level.sigma):
        raise DataError("isr: no pixel of the frame can be used (all are masked). Leave it out.", code="no_pixels")
    amplitude, error, moved = math.nan, math.nan, math.nan
    if used.fringe is not None:
        amplitude, error = pattern.amplitude(image.data, image.mask, used.fringe, level.level, level.sigma)
        if math.isfinite(amplitude):
            pattern.subtract(image.data, used.fringe, amplitude)
    if used.sky is not None:
        sky_scale_e = pattern.flatten(image.data, image.mask, used.sky, sky_scale_e)
    if used.fringe is not None or used.sky is not None:
        level = sky.measure(image.data, image.mask)
    if config.do_interpolate:
        sigma_pix = config.fwhm_arcsec / camera.pixel_scale_arcsec * SIGMA_PER_FWHM
        interpolate.fill(
            image.data, image.variance, image.mask, sigma_pix, level.level, level.sigma**2, config.reach_pix
        )
    if config.do_brighter_fatter and camera.brighter_fatter is not None:
        moved = brighter_fatter.correct(
            image.data, image.mask, np.asarray(camera.brighter_fatter), level.level, flat=used.flat, dark=used.dark,
            dark_s=dark_s, least_e=config.brighter_fatter_min_e, n_round_max=config.brighter_fatter_n_round,
            border_pix=config.brighter_fatter_border_pix,
        ).moved_e  # fmt: skip
    return Finished(level, amplitude, error, moved, sky_scale_e)


def _steps(config: Config) -> Steps:
    """The settings as the steps of the readout take them."""
    return Steps(**{name: getattr(config, name) for name in Steps.__dataclass_fields__})


def _wanted(work: Work, config: Config, facts: Any) -> dict[str, bool]:
    """Whether a master of each kind is asked for."""
    fringing = facts["filter"] in work.camera.settings.get("fringe", {}).get("filters", ())
    return {
        "bias": config.do_bias, "dark": config.do_dark and facts["dark_s"] > 0, "flat": config.do_flat,
        "fringe": config.do_fringe and fringing, "sky": config.do_sky,
    }  # fmt: skip


def _read_ahead(work: Work, config: Config) -> None:
    """Let the disk bring the raw frame and the masters of the next unit while this one is worked on."""
    unit: dict[str, Any] = work.options.get("next") or {"visit": 0, "ccd": -1}
    facts = find_frame.one(work.connection, visit=unit["visit"], ccd=unit["ccd"])
    if facts is None:
        return
    raw.read_ahead(work.repository / str(facts["path"]).partition("#")[0])
    for kind, is_wanted in _wanted(work, config, facts).items():
        one = masters.look(work, kind, unit["ccd"], facts["filter"], facts["night"]) if is_wanted else None
        if one is not None:
            raw.read_ahead(work.repository / str(one["path"]))


def _masters(work: Work, config: Config, ccd: Ccd, facts: Any) -> Used:
    """Find and read the masters that are asked for. InputError `no_master`."""
    wanted = _wanted(work, config, facts)
    pixels: dict[str, Any] = {}
    ids: dict[str, int | None] = dict.fromkeys([*wanted, "defects"])
    for kind, is_wanted in wanted.items():
        if is_wanted:
            one = masters.find(work, kind, ccd.ccd, facts["filter"], facts["night"])
            pixels[kind], ids[kind] = masters.read(work, one, (ccd.height, ccd.width)), int(one["master_id"])
    boxes = work.camera.defects_on(ccd.ccd, str(facts["night"])) if config.do_defects else ()
    if config.do_defects and config.do_found_defects:
        one = masters.look(work, "defects", ccd.ccd, None, facts["night"])
        if one is not None:
            ids["defects"] = int(one["master_id"])
            rows = read_master_defects(work.connection, master_id=ids["defects"])
            boxes = tuple(Box(*(int(row[name]) for name in rows.dtype.names[:4])) for row in rows)
    return Used(**pixels, boxes=boxes, ids=ids)


def _vet(work: Work, config: Config, ccd: Ccd, pixels: npt.NDArray[Any], boxes: tuple[Box, ...]) -> None:
    """Check the raw frame and store the rows. DataError or InputError named after the check; its rows are kept, too."""
    visit, expected = int(work.unit["visit"]), ccd.raw_width * ccd.raw_height
    found = [vet.Check("size", float(pixels.size), float(expected or math.nan), True, "")]
    refused: HscdbError | None = None
    try:
        frame.check_size(pixels, ccd)
        limits = vet.Limits(**{name: getattr(config, f"vet_{name}") for name in vet.Limits.__dataclass_fields__})
        found += vet.checks(pixels, ccd, work.camera, boxes, limits)
    except InputError as error:
        found[0] = vet.Check("size", found[0].found, found[0].limit, False, "")
        refused = error
    worst = next((one for one in found if not one.is_good), None)
    rows = np.zeros(len(found), [
        ("run_id", "i8"), ("task_id", "i8"), ("visit", "i8"), ("ccd", "i4"), ("check_name", "O"), ("figure", "f8"),
        ("figure_limit", "f8"), ("is_good", "?"),
    ])  # fmt: skip
    for n, one in enumerate(found):
        rows[n] = (work.run_id, work.task_id, visit, ccd.ccd, one.name, one.found, one.limit, one.is_good)
    if worst is None:
        copy.write(work.connection, "frame_vet", rows)
        return
    refused = refused or DataError(
        f"visit={visit} ccd={ccd.ccd}: {worst.what}. Leave the frame out, change the limit with "
        "`--config isr.vet_...`, or do without checks: `--config isr.do_vet=false`.",
        code="low_background" if worst.name == "background" and worst.found < worst.limit else _REASON[worst.name],
    )
    refused.store = lambda connection: copy.write(connection, "frame_vet", rows)
    raise refused
