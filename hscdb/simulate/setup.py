"""Everything that can be chosen in a simulation."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hscdb.errors import ConfigError


def _option(default: Any, text: str, unit: str = "") -> Any:
    return field(default=default, metadata={"help": text, "unit": unit})


@dataclass(frozen=True)
class Setup:
    """The options of a simulation. The same Setup gives the same files, whatever the number of processes."""

    camera: str = _option("hsc", "camera: a shipped name or a folder")
    ccds: tuple[int, ...] = _option((), "CCDs to write; none = all science CCDs")
    n_visit: int = _option(5, "visits per filter")
    filters: tuple[str, ...] = _option((), "filters, one after the other; none = the camera's r, or its first")
    seed: int = _option(1, "seed of everything random")
    exposure_s: float = _option(30.0, "exposure time of the science frames", "s")
    ra: float = _option(320.75, "right ascension of the field", "deg")
    dec: float = _option(0.5, "declination of the field", "deg")
    first_visit: int = _option(902800, "number of the first visit (made even for HSC)")
    start_mjd: float = _option(56598.26, "start of the first science frame, UTC", "d")
    span_d: float = _option(0.0, "spread the visits evenly over this time; 0 = back to back", "d")
    is_old_exp_id: bool = _option(False, "write EXP-ID as before June 2016 (HSCA90402400)")

    dither_ccd: float = _option(0.45, "radius of the dither pattern", "CCD widths")
    rotation_deg: float = _option(0.0, "position angle of the first visit (INST-PA)", "deg")
    rotation_step_deg: float = _option(0.0, "change of the position angle from visit to visit", "deg")
    pointing_err_arcsec: float = _option(3.0, "pointing error per axis, rms", "arcsec")
    rotation_err_deg: float = _option(0.02, "rotation error of a visit, rms", "deg")
    scale_err: float = _option(1e-4, "relative scale error of a visit, rms")
    distortion_arcsec: float = _option(
        0.05, "low-order distortion of a visit, rms per axis at the edge of the field", "arcsec"
    )
    turbulence_mas: float = _option(5.0, "displacement of the stars by the atmosphere, rms per axis", "mas")
    turbulence_scale_arcmin: float = _option(8.0, "distance at which they agree by half", "arcmin")
    ccd_shift_pix: float = _option(0.4, "shift of each CCD from its nominal place, rms per axis", "pix")
    ccd_rotation_rad: float = _option(1e-4, "rotation of each CCD from its nominal angle, rms", "rad")

    transparency_mag: float = _option(0.2, "largest extinction of a visit by clouds (uniform from 0)", "mag")
    cloud_gradient_mag: float = _option(0.01, "cloud gradient over the field radius, rms", "mag")
    ccd_scale: float = _option(0.012, "response of a CCD to the sky relative to that to the flat lamp, rms")
    illumination: float = _option(0.015, "wrong illumination of the dome flat at the edge of the field")
    edge_throughput: float = _option(0.7, "vignetting: throughput at the edge of the lit circle")
    pixel_response: float = _option(0.006, "scatter of the response from pixel to pixel, rms")

    star_density: float = _option(2.0, "stars relative to the counts at a galactic latitude of 60 deg")
    galaxy_density: float = _option(1.0, "galaxies relative to the true counts")
    mag_limit: float = _option(25.0, "faintest objects made (r)", "mag")
    mag_bright: float = _option(11.0, "brightest stars made (r)", "mag")
    variable_fraction: float = _option(0.02, "fraction of stars that vary")
    double_fraction: float = _option(0.04, "fraction of stars with a companion within 3 arcsec")
    motion: bool = _option(True, "proper motions and parallaxes")

    seeing_arcsec: float = _option(0.65, "median FWHM of the PSF", "arcsec")
    seeing_scatter: float = _option(0.1, "scatter of the FWHM from visit to visit, relative")
    ellipticity: float = _option(0.03, "ellipticity of the PSF over the field, rms")
    sky_scale: float = _option(1.0, "sky brightness relative to the usual one of the filter")
    fringe: float = _option(0.015, "amplitude of fringes relative to the sky, in the camera's fringing filters")

    bias_adu: float = _option(1000.0, "bias level", "adu")
    bias_drift_adu: float = _option(
        3.0, "change of the bias level from frame to frame and along the columns, rms", "adu"
    )
    dark_e_per_s: float = _option(0.02, "dark current", "electron/s")
    hot_fraction: float = _option(1e-4, "fraction of hot pixels")
    cosmic_per_s: float = _option(1.5, "cosmic rays per second on 2048 x 4176 pixels", "1/s")
    crosstalk: bool = _option(True, "crosstalk between the amplifiers")
    nonlinearity: bool = _option(True, "the amplifiers' non-linearity")
    brighter_fatter: bool = _option(True, "charge repulsion (brighter-fatter), where the camera has a kernel")
    defects: bool = _option(True, "the camera's defects")

    n_bias: int = _option(5, "bias frames")
    n_dark: int = _option(3, "dark frames")
    n_flat: int = _option(5, "dome flats per filter")
    dark_s: float = _option(300.0, "exposure time of the darks", "s")
    flat_e: float = _option(60000.0, "level of the dome flats at the field center", "electron")

    def __post_init__(self) -> None:
        for name in ("ccds", "filters"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name in ("n_visit", "n_bias", "n_dark", "n_flat", "exposure_s", "star_density", "seed"):
            if getattr(self, name) < 0:
                raise ConfigError(
                    f"simulate: {name} = {getattr(self, name)} is negative. Give 0 or more.", "bad_setting"
                )
        if not -90.0 <= self.dec <= 90.0:
            raise ConfigError(f"simulate: dec = {self.dec} deg lies outside -90..90. Give degrees.", "bad_setting")
        object.__setattr__(self, "ra", self.ra % 360.0)


# The first word of every random stream, so that no two purposes share one.
STREAM = {
    name: number
    for number, name in enumerate(
        ("cell", "visit", "ccd", "camera", "pixels", "cosmic", "turbulence", "gaia", "ps1", "bias", "hot", "response",
         "fringe")
    )
}


def stream(setup: Setup, purpose: str, *numbers: int) -> np.random.Generator:
    """A random generator that depends on the seed, the purpose and the numbers (visit, ccd, ...) only."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence([setup.seed, STREAM[purpose], *numbers])))
