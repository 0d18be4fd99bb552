"""isr: raw frame -> clean image in electrons, with variance and mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hscdb.db.queries import query
from hscdb.errors import DataError, InputError
from hscdb.fits import header as headers
from hscdb.fits import product, raw
from hscdb.image.readout import defects, frame, saturation
from hscdb.image.readout.frame import Steps
from hscdb.isr import interpolate, sky
from hscdb.run import masters
from hscdb.run.config import setting
from hscdb.run.stage import Funnel, Work, stage

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from hscdb.camera.model import Camera, Ccd
    from hscdb.image.plane import Image

find_frame = query("isr/find_frame")
insert_frame_isr = query("isr/insert_frame_isr")

SIGMA_PER_FWHM = 0.42466090014400953
# A raw frame's own WCS is good to minutes of arc only (camera document, section 6): it must not be taken for one.
_NOT_COPIED = (
    "CTYPE CRVAL CRPIX CDELT CUNIT CROTA CD1_ CD2_ PC1_ PC2_ PC001 PC002 PV1_ PV2_ A_ B_ AP_ BP_ LTV LTM "
    "LONGPOLE LATPOLE WCS RADECSYS BLANK BUNIT COMMENT HISTORY EXTNAME EXTTYPE INHERIT DATE"
).split()


@dataclass(frozen=True)
class Config:
    do_saturation: bool = setting(True, "mask saturated pixels (SAT)", was="doSaturation")
    do_suspect: bool = setting(True, "mask pixels above the suspect level (SUSPECT)", was="doSuspect")
    do_overscan: bool = setting(True, "subtract the overscan where the camera has one", was="doOverscan")
    overscan_n_bin: int = setting(30, "bins of rows that the overscan's spline goes through", was="overscanOrder")
    overscan_n_sigma: float = setting(
        3.0, "clipping of the pixels of an overscan row", was="overscanNumSigmaClip overscanRej"
    )
    overscan_deviation_max_adu: float = setting(
        1000.0, "overscan pixels further from the median are dropped", unit="adu", was="overscanMaxDev"
    )
    do_bias: bool = setting(True, "subtract the master bias", was="doBias")
    do_linearity: bool = setting(True, "correct the response to a straight line", was="doLinearize")
    do_crosstalk: bool = setting(True, "correct the crosstalk of the amplifiers", was="doCrosstalk")
    crosstalk_min_adu: float = setting(
        45000.0, "pixels this far above the sky mark those they strike CROSSTALK", unit="adu", was="minPixelToMask"
    )
    do_empirical_read_noise: bool = setting(
        True, "measure the read noise in the overscan instead of taking the camera's", was="doEmpiricalReadNoise"
    )
    do_defects: bool = setting(True, "mask the defects of the ccd (BAD)", was="doDefect")
    do_vignette: bool = setting(True, "mask what lies outside the lit circle (NO_DATA)", was="doVignette")
    do_widen_trails: bool = setting(True, "widen saturation trails", was="doWidenSaturationTrails")
    grow_saturation_pix: int = setting(
        1, "grow saturated pixels before they are interpolated over", unit="pix", was="growSaturationFootprintSize"
    )
    do_dark: bool = setting(True, "subtract the master dark, times the dark time", was="doDark")
    do_flat: bool = setting(True, "divide by the master flat", was="doFlat")
    flat_min: float = setting(0.05, "pixels of lower response in the flat are BAD")
    do_interpolate: bool = setting(
        True, "interpolate over BAD, SAT and NaN pixels (INTRP)", was="doInterpolate doSaturationInterpolation"
    )
    fwhm_arcsec: float = setting(1.0, "width of a star for the interpolation", unit="arcsec", was="fwhm")
    reach_pix: int = setting(50, "widest defect that is interpolated over; wider ones get the sky level", unit="pix")
    keep_image: bool = setting(False, "keep postISRCCD after the frame was measured", was="doWrite")

    def steps(self) -> Steps:
        """The steps of the readout."""
        return Steps(**{name: getattr(self, name) for name in Steps.__dataclass_fields__})


@dataclass(frozen=True)
class _Masters:
    """Pixels of the masters in use, and {kind: master_id or None}."""

    bias: npt.NDArray[np.float32] | None
    dark: npt.NDArray[np.float32] | None
    flat: npt.NDArray[np.float32] | None
    ids: dict[str, int | None]


@stage("isr", per="frame", config=Config, reads=("frame", "visit", "master"), writes=("frame_isr",))
def run(work: Work, config: Config) -> Funnel:
    """Clean a raw frame: saturation, overscan, bias, linearity, crosstalk, gain, dark, flat, defects, interpolation."""
    visit, ccd = work.unit["visit"], work.camera.ccds[work.unit["ccd"]]
    found = find_frame.one(work.connection, visit=visit, ccd=ccd.ccd)
    if found is None:
        raise InputError(
            f"visit={visit} ccd={ccd.ccd}: no raw frame is known. Ingest it with `hscdb ingest REPO FILES`.",
            code="no_frame",
        )
    path = work.repository / str(found["path"]).partition("#")[0]
    header = headers.read_header(path, int(found["hdu"]))
    ccd = raw.ccd_in(work.camera, ccd, header)
    used = _masters(work, config, ccd, found)
    boxes = work.camera.defects_on(ccd.ccd, str(found["night"])) if config.do_defects else ()
    bad = defects.bad_amplifiers(ccd, boxes)
    adu = frame.to_adu(raw.read_raw(path, int(found["hdu"]), ccd), ccd, config.steps(), used.bias, bad)
    if len(adu.bad) == len(ccd.amplifiers):
        raise DataError(
            f"visit={visit} ccd={ccd.ccd}: all {len(adu.bad)} amplifiers are dead or saturated. Leave the ccd out.",
            code="all_bad",
        )
    defects.mark(adu.mask, boxes)
    if config.do_vignette:
        defects.mark_unlit(adu.mask, work.camera, ccd)
    image = frame.to_electrons(adu, work.camera, ccd, config.steps(), used.dark, float(found["dark_s"]), used.flat)
    level = finish(image, work.camera, config)
    n_saturated, n_bad, n_no_data = sky.count(image.mask)
    insert_frame_isr(
        work.connection, run_id=work.run_id, task_id=work.task_id, visit=visit, ccd=ccd.ccd,
        overscan_adu=[adu.level_adu[a.amp] for a in ccd.amplifiers],
        read_noise_e=list(adu.read_noise_e(ccd, config.do_empirical_read_noise)),
        gain_e_per_adu=[a.gain_e_per_adu for a in ccd.amplifiers],
        **{f"{kind}_master_id": number for kind, number in used.ids.items()},
        sky_level_e=level.level, sky_sigma_e=level.sigma,
        flatness_pp=level.flatness_pp, flatness_rms=level.flatness_rms,
        n_saturated=n_saturated, n_bad=n_bad, n_no_data=n_no_data,
    )  # fmt: skip
    cards = _cards(work, ccd, header, found, level)
    if config.keep_image or "detect" not in work.options.get("followed_by", ()):  # else it goes by work.carry
        with work.files.writing("postISRCCD", visit=visit, ccd=ccd.ccd) as target:
            product.write_image(target, image, cards)
    work.carry["postISRCCD"] = image
    work.carry["cards"] = cards
    return {
        "n_pixel": image.data.size, "n_saturated": n_saturated, "n_bad": n_bad, "n_no_data": n_no_data,
        "n_amplifier_bad": len(adu.bad),
    }  # fmt: skip


def finish(image: Image, camera: Camera, config: Config) -> sky.Sky:
    """Widen trails, measure the sky, interpolate; in place. Returns the sky.

    DataError `no_pixels` if no pixel can be used.
    """
    if config.do_saturation:
        saturation.spread(image.mask, config.do_widen_trails, config.grow_saturation_pix)
    level = sky.measure(image.data, image.mask)
    if not level.sigma == level.sigma:
        raise DataError("isr: no pixel of the frame can be used (all are masked). Leave it out.", code="no_pixels")
    if config.do_interpolate:
        sigma_pix = config.fwhm_arcsec / camera.pixel_scale_arcsec * SIGMA_PER_FWHM
        interpolate.fill(
            image.data, image.variance, image.mask, sigma_pix, level.level, level.sigma**2, config.reach_pix
        )
    return level


def _masters(work: Work, config: Config, ccd: Ccd, found: Any) -> _Masters:
    """Find and read the masters that are asked for. InputError `no_master`."""
    pixels: dict[str, Any] = {"bias": None, "dark": None, "flat": None}
    ids: dict[str, int | None] = dict.fromkeys(pixels)
    wanted = {"bias": config.do_bias, "dark": config.do_dark and found["dark_s"] > 0, "flat": config.do_flat}
    for kind, is_wanted in wanted.items():
        if is_wanted:
            one = masters.find(work, kind, ccd.ccd, found["filter"], found["night"])
            pixels[kind], ids[kind] = masters.read(work, one, (ccd.height, ccd.width)), int(one["master_id"])
    return _Masters(**pixels, ids=ids)


def _cards(work: Work, ccd: Ccd, header: dict[str, Any], found: Any, level: sky.Sky) -> list[tuple[str, Any, str]]:
    """Cards of HDU 0: the raw frame's own without its WCS, then hscPipe's, then ours."""
    cards = [
        (key, content, "") for key, content in header.items()
        if key and not key.startswith(tuple(_NOT_COPIED)) and not isinstance(content, dict)
    ]  # fmt: skip
    mesh = sky.MESH_PIX
    return [
        *cards,
        ("EXPTIME", found["exposure_s"], "[s] exposure time"),
        ("DARKTIME", found["dark_s"], "[s] dark time"),
        ("FILTER", found["filter"], "physical filter"),
        ("DETNAME", ccd.name, "name of the ccd"),
        ("DETSER", ccd.ccd, "number of the ccd"),
        ("EXPID", int(work.unit["visit"]), "visit"),
        ("MJD-AVG", found["obs_mjd"], "[d] MJD (TAI), middle of the exposure"),
        ("TIMESYS", "TAI", "time system of MJD-AVG"),
        ("BORE-RA", found["ra"], "[deg] boresight, ICRS"),
        ("BORE-DEC", found["dec"], "[deg] boresight, ICRS"),
        ("BORE-ROTANG", found["rotator_deg"], "[deg] position angle of the instrument"),
        ("BORE-AIRMASS", found["airmass"], "airmass"),
        ("BUNIT", "electron", "unit of the pixels"),
        ("SKYLEVEL", level.level, "[electron] median sky"),
        ("SKYSIGMA", level.sigma, "[electron] clipped scatter of the sky"),
        ("FLATNESS_PP", level.flatness_pp, "peak to peak of the sky mesh over its median"),
        ("FLATNESS_RMS", level.flatness_rms, "rms of the sky mesh over its median"),
        ("FLATNESS_NGRIDS", f"{level.n_x}x{level.n_y}", "meshes"),
        ("FLATNESS_MESHX", mesh, "[pix] width of a mesh"),
        ("FLATNESS_MESHY", mesh, "[pix] height of a mesh"),
        ("HDB_RUN", work.run_id, "run of hscdb"),
        ("HDB_TASK", work.task_id, "task of hscdb"),
    ]
