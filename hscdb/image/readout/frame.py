"""One raw frame to adu above bias, and to electrons: the steps of the readout in hscPipe's order.

Raw frame -> SAT and SUSPECT on raw adu -> overscan -> trim -> bias -> linearity -> (all in adu) crosstalk -> gain ->
variance -> dark -> flat. Differences from ip_isr: variance is taken after linearity and crosstalk, from the electrons
that are there, and the read noise is measured in the overscan, so no unit of a table can be mistaken.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from hscdb.camera.model import Amplifier, Camera, Ccd
from hscdb.errors import ConfigError, InputError
from hscdb.image import stats
from hscdb.image.mask import BAD, NO_DATA, SUSPECT
from hscdb.image.plane import Image
from hscdb.image.readout import overscan, passes

_NONE = np.zeros((1, 1), np.float32)


@dataclass(frozen=True)
class Steps:
    """Which steps are done, and their numbers; names and defaults are those of the settings of isr."""

    do_saturation: bool = True
    do_suspect: bool = True
    do_overscan: bool = True
    overscan_n_bin: int = 30
    overscan_n_sigma: float = 3.0
    overscan_deviation_max_adu: float = 1000.0
    do_linearity: bool = True
    do_crosstalk: bool = True
    crosstalk_min_adu: float = 45000.0
    do_empirical_read_noise: bool = True
    flat_min: float = 0.05


@dataclass(frozen=True)
class Adu:
    """A trimmed frame in adu above bias.

    adu, mask : (ny, nx). level_adu, noise_adu, gain : {amp: overscan level, read noise [adu], gain [e/adu]};
    NaN without overscan. bad : amplifiers not to be used.
    """

    adu: npt.NDArray[np.float32]
    mask: npt.NDArray[np.int32]
    level_adu: Mapping[int, float]
    noise_adu: Mapping[int, float]
    bad: frozenset[int] = field(default_factory=frozenset)

    def read_noise_e(self, ccd: Ccd, empirical: bool = True) -> npt.NDArray[np.float64]:
        """(n_amp,) read noise [electron]: measured where it could be (and is wanted), else the camera's."""
        measured = [self.noise_adu[amp.amp] * amp.gain_e_per_adu for amp in ccd.amplifiers]
        return np.array([
            found if empirical and math.isfinite(found) and found > 0 else amp.read_noise_e
            for found, amp in zip(measured, ccd.amplifiers, strict=True)
        ])  # fmt: skip


def check_size(raw: npt.NDArray[Any], ccd: Ccd) -> None:
    """InputError `wrong_size` if the raw array is not that of the CCD; ConfigError `bad_camera` if it cannot be cut."""
    if not ccd.amplifiers:
        raise ConfigError(
            f"ccd={ccd.ccd}: the camera describes no amplifier. Add one to its description.", code="bad_camera"
        )
    for amp in ccd.amplifiers:
        if amp.overscan is not None and amp.overscan.height != amp.raw_box.height:
            raise ConfigError(
                f"ccd={ccd.ccd} amp={amp.amp}: overscan and data have {amp.overscan.height} and "
                f"{amp.raw_box.height} rows. Give the overscan the rows of the data in the camera's description.",
                code="bad_camera",
            )
    if ccd.raw_width and ccd.raw_height:
        fits, need = raw.shape == (ccd.raw_height, ccd.raw_width), f"{ccd.raw_width} x {ccd.raw_height}"
    else:
        boxes = [box for amp in ccd.amplifiers for box in (amp.raw_box, amp.overscan) if box is not None]
        width = max(box.x0 + box.width for box in boxes)
        height = max(box.y0 + box.height for box in boxes)
        fits, need = raw.shape[0] >= height and raw.shape[1] >= width, f"at least {width} x {height}"
    if not fits:
        raise InputError(
            f"ccd={ccd.ccd}: the raw frame has {raw.shape[1]} x {raw.shape[0]} pixels; the camera says {need}. "
            "Leave the frame out, or correct the camera's description.",
            code="wrong_size",
        )


def to_adu(
    raw: npt.NDArray[Any],
    ccd: Ccd,
    steps: Steps,
    bias: npt.NDArray[np.float32] | None = None,
    bad: Collection[int] = (),
) -> Adu:
    """Trim a raw frame (flipped on read) and bring it to adu above bias, linear.

    raw  : (raw_height, raw_width). bias: (ny, nx) master [adu] or None.
    bad  : amplifiers known to be dead: masked BAD, their overscan is not looked at. To them are added those that are
           saturated or suspect all over, and those whose overscan has no usable pixel.
    Pixels of no amplifier are NO_DATA. InputError `wrong_size`; ConfigError `bad_camera`.
    """
    check_size(raw, ccd)
    if raw.dtype != np.uint16:
        raw = raw.astype(np.float32, copy=False)
    adu = np.full((ccd.height, ccd.width), np.nan, np.float32)
    mask = np.zeros((ccd.height, ccd.width), np.int32)
    if sum(amp.box.width * amp.box.height for amp in ccd.amplifiers) < mask.size:
        mask[:] = NO_DATA
        for amp in ccd.amplifiers:
            mask[amp.box.slices] = 0
    level, noise, dead = {}, {}, set(bad)
    for amp in ccd.amplifiers:
        found = None if amp.amp in dead or not steps.do_overscan else _overscan(raw, amp, steps)
        level[amp.amp] = found.mean_adu if found else math.nan
        noise[amp.amp] = found.read_noise_adu if found else math.nan
        if found and not math.isfinite(found.mean_adu):
            dead.add(amp.amp)
            found = None
        pixels, bits = raw[amp.raw_box.slices], mask[amp.box.slices]
        base = found.level_adu if found else np.zeros(amp.box.height, np.float32)
        saturation = amp.saturation_adu if steps.do_saturation else math.inf
        suspect = amp.suspect_adu if steps.do_suspect else math.inf
        c0 = amp.linearity_c0 if steps.do_linearity else 0.0
        own = _NONE if bias is None else bias[amp.box.slices]
        n_saturated = passes.to_adu(
            pixels, base, saturation, suspect, own, bias is not None, c0, adu[amp.box.slices], bits
        )
        if n_saturated == pixels.size or _all_above(pixels, min(suspect, saturation)):
            dead.add(amp.amp)
        if amp.amp in dead:
            bits |= BAD
        elif found and found.is_blind.any():
            bits[found.is_blind] |= SUSPECT
    return Adu(adu, mask, level, noise, frozenset(dead))


def _overscan(raw: npt.NDArray[Any], amp: Amplifier, steps: Steps) -> overscan.Overscan | None:
    """Overscan of an amplifier; None if the camera has none."""
    if amp.overscan is None:
        return None
    return overscan.measure(
        raw[amp.overscan.slices], steps.overscan_n_bin, steps.overscan_n_sigma, steps.overscan_deviation_max_adu
    )


def _all_above(pixels: npt.NDArray[Any], level: float) -> bool:
    """Whether every pixel is above a level; a thin sample is asked first."""
    return bool((pixels[::61, ::61] > level).all() and (pixels > level).all())


def to_electrons(
    frame: Adu,
    camera: Camera,
    ccd: Ccd,
    steps: Steps,
    dark: npt.NDArray[np.float32] | None = None,
    dark_s: float = 0.0,
    flat: npt.NDArray[np.float32] | None = None,
) -> Image:
    """Crosstalk, gain, variance, dark and flat; the arrays of `frame` are used up.

    dark : (ny, nx) master [electron/s], taken dark_s times. flat : (ny, nx) master, no number outside the lit circle.
    Returns the image in electrons, its variance = max(e, 0) + read noise^2 (over flat^2), and the mask. A sky that was
    subtracted before (amplifier.sky_adu) counts in the variance.
    """
    amps = ccd.amplifiers
    image, variance = frame.adu, np.zeros_like(frame.adu)
    boxes = np.array([(a.box.x0, a.box.x0 + a.box.width, a.box.y0, a.box.y0 + a.box.height) for a in amps], np.int64)
    matrix = _crosstalk(camera, ccd, frame.bad) if steps.do_crosstalk else None
    background = stats.median(image[::16, ::16]) if matrix is not None else 0.0
    passes.to_electrons(
        image,
        variance,
        frame.mask,
        boxes,
        np.array([a.is_mirrored for a in amps]),
        np.zeros((1, 1)) if matrix is None else matrix,
        matrix is not None,
        background,
        steps.crosstalk_min_adu,
        np.array([a.gain_e_per_adu for a in amps]),
        np.hypot(frame.read_noise_e(ccd, steps.do_empirical_read_noise), _sky_noise_e(ccd)),
        _NONE if dark is None else dark,
        0.0 if dark is None else float(dark_s),
        _NONE if flat is None else flat,
        flat is not None,
        steps.flat_min,
    )
    return Image(image, variance, frame.mask)


def _sky_noise_e(ccd: Ccd) -> npt.NDArray[np.float64]:
    """(n_amp,) photon noise [electron] of the sky that is not in the frame any more."""
    return np.sqrt([max(amp.sky_adu, 0.0) * amp.gain_e_per_adu for amp in ccd.amplifiers])


def _crosstalk(camera: Camera, ccd: Ccd, bad: Collection[int]) -> npt.NDArray[np.float64] | None:
    """Coefficients [struck, source] without dead sources; None if the camera has none for amplifiers like these."""
    amps = ccd.amplifiers
    if camera.crosstalk is None or np.shape(camera.crosstalk) != (len(amps), len(amps)):
        return None
    if len({(a.box.y0, a.box.width, a.box.height) for a in amps}) > 1 or not np.any(camera.crosstalk):
        return None
    matrix = np.array(camera.crosstalk, float)
    matrix[:, [a.amp in bad for a in amps]] = 0.0
    return matrix
