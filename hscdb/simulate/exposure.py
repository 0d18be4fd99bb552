"""The list of exposures, and what is wrong with each visit and each CCD."""

from dataclasses import dataclass, field, replace

import numpy as np
from astropy.time import Time
from numpy.typing import NDArray

from hscdb.camera.model import Camera, Ccd, Filter
from hscdb.errors import ConfigError
from hscdb.simulate.setup import Setup, stream
from hscdb.sky import sphere

OVERHEAD_S = 35.0  # readout and slew between two exposures
_GOLDEN = np.pi * (3.0 - np.sqrt(5.0))
_PLAIN_MJD = 60000.3  # cameras that number visits by time since a later date than `start_mjd`


@dataclass(frozen=True)
class Exposure:
    """One visit: what its headers say, and the truth.

    ra, dec, pa_deg : as in the header; the boresight was at ra_true, dec_true [deg], turned by rotation_err_deg more.
    cloud           : (2,) mag per field radius; psf : (3, 6) terms of FWHM, e1, e2 over the field (psf.py).
    distortion      : (2, 7) arcsec, terms of degree 2 and 3 in field radii.
    """

    visit: int
    kind: str  # science, bias, dark, flat
    filter: str
    start_mjd: float  # UTC
    exposure_s: float
    ra: float
    dec: float
    pa_deg: float = 0.0
    ra_true: float = 0.0
    dec_true: float = 0.0
    rotation_err_deg: float = 0.0
    scale_err: float = 0.0
    transparency_mag: float = 0.0
    cloud: tuple[float, float] = (0.0, 0.0)
    fwhm_arcsec: float = 0.7
    psf: NDArray[np.float64] = field(default_factory=lambda: np.zeros((3, 6)))
    distortion: NDArray[np.float64] = field(default_factory=lambda: np.zeros((2, 7)))

    @property
    def mjd_tai(self) -> float:
        """Middle of the exposure, TAI."""
        return float(Time(self.start_mjd + self.exposure_s / 172800.0, format="mjd", scale="utc").tai.mjd)


@dataclass(frozen=True)
class CcdTruth:
    """What is wrong with a CCD: where it really sits, and its response to the sky relative to that to the flat lamp."""

    ccd: int
    du_pix: float
    dv_pix: float
    rotation_rad: float
    efficiency: float
    sky_to_lamp: float


def is_hsc_like(camera: Camera) -> bool:
    """Whether frames are named and numbered as Subaru does (two archive numbers per visit, EXP-ID)."""
    return "EXP-ID" in camera.settings.get("header", {}).get("require", {})


def find_filter(camera: Camera, name: str) -> Filter:
    """The filter of this name or alias. ConfigError `unknown_filter`."""
    for one in camera.filters:
        if name.upper() in (one.filter.upper(), *(alias.upper() for alias in one.aliases)):
            return one
    known = ", ".join(one.filter for one in camera.filters)
    raise ConfigError(f"simulate: camera {camera.name} has no filter '{name}' (it has {known}).", "unknown_filter")


def filters(setup: Setup, camera: Camera) -> list[Filter]:
    """The filters to observe in; by default the first whose band is r."""
    if setup.filters:
        return [find_filter(camera, name) for name in setup.filters]
    return [next((one for one in camera.filters if one.band == "r"), camera.filters[0])]


def exposures(setup: Setup, camera: Camera) -> list[Exposure]:
    """All exposures: science visits, filter by filter, then biases, darks and dome flats of the afternoon before."""
    chosen = filters(setup, camera)
    start = setup.start_mjd
    if not is_hsc_like(camera) and start < 59000.0:
        start = _PLAIN_MJD
    science = [
        _science(setup, camera, one.filter, k, start, number * setup.n_visit + k)
        for number, one in enumerate(chosen)
        for k in range(setup.n_visit)
    ]
    kinds = [("bias", "", 0.0)] * setup.n_bias + [("dark", "", setup.dark_s)] * setup.n_dark
    kinds += [("flat", one.filter, 10.0) for one in chosen for _ in range(setup.n_flat)]
    at = start - 0.2
    calibration = []
    for number, (kind, name, seconds) in enumerate(kinds, start=len(science)):
        visit = _visit_number(setup, camera, number, at)
        name = name or chosen[0].filter
        calibration.append(Exposure(visit, kind, name, at, seconds, setup.ra, setup.dec))
        at += (seconds + OVERHEAD_S) / 86400.0
    return science + calibration


def _visit_number(setup: Setup, camera: Camera, number: int, mjd: float) -> int:
    if is_hsc_like(camera):
        return setup.first_visit // 2 * 2 + 2 * number
    rule = camera.settings["header"]["visit"]
    if isinstance(rule, dict) and rule.get("rule") == "time":
        return int((mjd - rule["since_mjd"]) * rule["per_day"])
    return setup.first_visit + number


def _science(setup: Setup, camera: Camera, name: str, k: int, start: float, number: int) -> Exposure:
    random = stream(setup, "visit", number)
    step = (setup.exposure_s + OVERHEAD_S) / 86400.0
    at = start + (number * step if setup.span_d == 0.0 else _spread(setup, k, number, step))
    # Sunflower pattern: the first visit in the middle, the others spread evenly over the dither circle.
    width_deg = max(ccd.width for ccd in camera.ccds.values()) * camera.pixel_scale_arcsec / 3600.0
    radius_deg = setup.dither_ccd * width_deg * np.sqrt(k / max(setup.n_visit - 1, 1))
    ra, dec = sphere.offset(setup.ra, setup.dec, np.degrees(k * _GOLDEN), radius_deg)
    error = random.normal(0.0, setup.pointing_err_arcsec / 3600.0, 2)
    ra_true, dec_true = sphere.deproject(error[0], error[1], ra, dec)
    shape = random.normal(0.0, 1.0, (3, 6)) * np.array([[0.03], [setup.ellipticity / 2.0], [setup.ellipticity / 2.0]])
    shape[0, 0] = 0.0
    cloud = random.normal(0.0, setup.cloud_gradient_mag, 2)
    return Exposure(
        visit=_visit_number(setup, camera, number, at),
        kind="science",
        filter=name,
        start_mjd=at,
        exposure_s=setup.exposure_s,
        ra=float(ra),
        dec=float(dec),
        pa_deg=setup.rotation_deg + k * setup.rotation_step_deg,
        ra_true=float(ra_true),
        dec_true=float(dec_true),
        rotation_err_deg=float(random.normal(0.0, setup.rotation_err_deg)),
        scale_err=float(random.normal(0.0, setup.scale_err)),
        transparency_mag=float(random.uniform(0.0, setup.transparency_mag)),
        cloud=(float(cloud[0]), float(cloud[1])),
        fwhm_arcsec=float(setup.seeing_arcsec * np.exp(random.normal(0.0, setup.seeing_scatter))),
        psf=shape,
        distortion=random.normal(0.0, setup.distortion_arcsec / np.sqrt(7.0), (2, 7)),
    )


def _spread(setup: Setup, k: int, number: int, step: float) -> float:
    """Time of visit k of its filter, in whole days after the start plus its place in the night."""
    return round(setup.span_d * k / max(setup.n_visit - 1, 1)) + (number % 300) * step


def ccd_truth(setup: Setup, ccd: Ccd) -> CcdTruth:
    """The errors of a CCD, the same in all exposures."""
    random = stream(setup, "ccd", ccd.ccd)
    du, dv = random.normal(0.0, setup.ccd_shift_pix, 2)
    return CcdTruth(
        ccd=ccd.ccd,
        du_pix=float(du),
        dv_pix=float(dv),
        rotation_rad=float(random.normal(0.0, setup.ccd_rotation_rad)),
        efficiency=float(1.0 + random.normal(0.0, 0.03)),
        sky_to_lamp=float(1.0 + random.normal(0.0, setup.ccd_scale)),
    )


def true_ccd(setup: Setup, ccd: Ccd) -> Ccd:
    """The CCD where it really sits."""
    truth = ccd_truth(setup, ccd)
    yaw_deg = ccd.yaw_deg + float(np.degrees(truth.rotation_rad))
    return replace(ccd, u_pix=ccd.u_pix + truth.du_pix, v_pix=ccd.v_pix + truth.dv_pix, yaw_deg=yaw_deg)
