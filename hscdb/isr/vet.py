"""Whether a raw frame is worth any work: LAST's checks of images, on a thin sample of the raw pixels.

After Ofek et al. 2023 (PASP 135, 124502) and the checks of its code: size, empty, background, high pixels, a value that
is there too often, a histogram of two humps (electronic noise), and the width of the autocorrelation (a blurred or
trailed image; unlike a fit it needs no stars to be found). Amplifiers are looked at one by one, because each has its
own bias and gain; what is defective or gets no light is left out.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hscdb.camera.model import Amplifier, Box, Camera, Ccd
from hscdb.image import stats
from hscdb.image.readout import defects

ROWS, COLUMNS = 8, 4  # every 8th row and 4th column of the light: 65 000 pixels of an HSC amplifier
WINDOW_PIX = 1000  # side of the square whose autocorrelation is looked at
_TILE_PIX = 250
_N_TILE_MIN = 6  # tiles with stars without which nothing is said: a bright star may spoil four
_RADIUS_PIX = 50
_SHARE = 0.84  # of the sum of the autocorrelation's profile, as LAST has it
_N_SIGMA = 10.0  # fainter pixels are no stars
_SHARP_PIX = 10.0  # no other window is looked at when one is as sharp
_STRIP = 64  # rows
_DEEP = 0.8  # two humps are two if the histogram falls below this part of the lower one between them

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Limits:
    """From where on a frame is refused; names and defaults are those of the settings of isr, without `vet_`."""

    background_min_adu: float = -50.0
    background_max_adu: float = 20000.0
    high_adu: float = 40000.0
    high_fraction_max: float = 0.1
    fixed_values: tuple[float, ...] = (0.0, 32768.0)
    fixed_fraction_max: float = 1e-3
    hump_min: float = 0.2
    hump_min_adu: float = 15.0
    hump_max_adu: float = 200.0
    acf_max_pix: float = 12.0


@dataclass(frozen=True)
class Check:
    """One check: the figure found and its limit, whether it is good, and what is wrong otherwise.

    A figure that is no number could not be told, and is good.
    """

    name: str
    found: float
    limit: float
    is_good: bool
    what: str


@dataclass(frozen=True)
class _Sample:
    """Pixels of one amplifier above its overscan, (n,) adu; base: the overscan's median."""

    amp: Amplifier
    adu: Floats
    base: float


def checks(
    raw: npt.NDArray[Any], ccd: Ccd, camera: Camera, boxes: Iterable[Box] = (), limits: Limits | None = None
) -> Iterator[Check]:
    """The checks of a raw frame (flipped on read, of the right size), the cheap ones first; boxes are its defects."""
    limits = limits or Limits()
    samples = list(_samples(raw, ccd, camera, tuple(boxes)))
    if not samples:
        return  # all dead or unlit, which isr tells
    scatter = max(float(np.ptp(one.adu)) for one in samples)
    yield Check("empty", scatter, 0.0, scatter > 0.0, "all pixels are alike, the frame is empty")
    pixels = np.concatenate([one.adu for one in samples])
    level = float(np.median(pixels))
    is_low = level < limits.background_min_adu
    limit = limits.background_min_adu if is_low else limits.background_max_adu
    yield Check(
        "background", level, limit, not is_low and level <= limits.background_max_adu,
        f"the sky is at {level:.0f} adu (at {'least' if is_low else 'most'} {limit:g})",
    )  # fmt: skip
    part = float(np.mean(pixels > limits.high_adu))
    yield Check(
        "high_pixels", part, limits.high_fraction_max, part <= limits.high_fraction_max,
        f"{part:.1%} of the pixels are above {limits.high_adu:g} adu (at most {limits.high_fraction_max:.1%})",
    )  # fmt: skip
    if raw.dtype.kind in "iu" and limits.fixed_values:
        yield _fixed(raw, limits)
    apart = max(humps(one.adu, limits) for one in samples)
    yield Check(
        "histogram", apart, limits.hump_min_adu, apart == 0.0,
        f"the histogram of an amplifier has two humps {apart:.0f} adu apart (electronic noise)",
    )  # fmt: skip
    width = blur(raw, ccd, samples)
    yield Check(
        "acf", width, limits.acf_max_pix, not width > limits.acf_max_pix,
        f"the autocorrelation is {width:.1f} pix wide (at most {limits.acf_max_pix:g}), it is blurred or trailed",
    )  # fmt: skip


def _samples(raw: npt.NDArray[Any], ccd: Ccd, camera: Camera, boxes: tuple[Box, ...]) -> Iterator[_Sample]:
    mask = np.zeros((ccd.height, ccd.width), np.int32)
    defects.mark(mask, boxes)
    lit = defects.lit_columns(camera, ccd)
    if lit is not None:
        for y in range(0, ccd.height, ROWS):
            mask[y, : lit[0][y]] = mask[y, lit[1][y] :] = 1
    bad = defects.bad_amplifiers(ccd, boxes)
    for amp in ccd.amplifiers:
        if amp.amp in bad:
            continue
        start = -amp.box.y0 % ROWS  # rows of the frame for which the lit columns were marked
        pixels = raw[amp.raw_box.slices][start::ROWS, ::COLUMNS]
        good = mask[amp.box.slices][start::ROWS, ::COLUMNS] == 0
        base = math.nan if amp.overscan is None else stats.median(raw[amp.overscan.slices][::ROWS])
        base = base if math.isfinite(base) else 0.0
        found = stats.finite(pixels[good]).astype(np.float64) - base
        if found.size:
            yield _Sample(amp, found, base)


def _fixed(raw: npt.NDArray[Any], limits: Limits) -> Check:
    """Pixels of one value beyond what its neighbors in the histogram have: a fault of the converter, not the sky."""
    worst, which = 0.0, limits.fixed_values[0]
    for wanted in limits.fixed_values:
        before, here, after = _near(raw, int(wanted))
        excess = (here - (sum(before) + sum(after)) / len(before + after)) / raw.size
        if excess > worst:
            worst, which = float(excess), wanted
    return Check(
        "fixed_value", worst, limits.fixed_fraction_max, worst <= limits.fixed_fraction_max,
        f"{worst:.2%} of the pixels are exactly {which:g} (at most {limits.fixed_fraction_max:.2%})",
    )  # fmt: skip


def _near(raw: npt.NDArray[Any], wanted: int) -> tuple[list[int], int, list[int]]:
    """How many pixels have a whole number, and those of up to two before and after it that are not negative."""
    unsigned = raw.view(f"u{raw.dtype.itemsize}")
    limits = np.iinfo(raw.dtype)
    first = np.array((wanted - 2) % (int(limits.max) - int(limits.min) + 1), unsigned.dtype)
    count = np.zeros(5, np.int64)
    for y in range(0, len(raw), _STRIP):  # differences modulo the largest number; a strip at a time stays in the cache
        step = unsigned[y : y + _STRIP] - first
        count += np.bincount(step[step < 5], minlength=5)
    known = [int(n) if limits.min <= wanted + i - 2 <= limits.max else 0 for i, n in enumerate(count)]
    return known[max(2 - wanted, 0) : 2], known[2], known[3:]


def humps(adu: Floats, limits: Limits) -> float:
    """Largest distance [adu] of two humps of a histogram that lie hump_min_adu to hump_max_adu apart; 0 if none do.

    adu : (n,) pixels of one amplifier. Bins are whole adu, about a third of the noise; humps are counted from hump_min
    of the highest on, and only if the valley between them is clearly lower than both.
    """
    middle, sigma = float(np.median(adu)), stats.mad_sigma(adu)
    width = max(math.ceil(sigma / 3.0), 1)
    n_bin = 2 * math.ceil((limits.hump_max_adu + 4.0 * sigma) / width) + 1
    low = math.floor(middle) - n_bin // 2 * width - 0.5
    count = np.histogram(adu, n_bin, (low, low + n_bin * width))[0]
    smooth = np.convolve(count, [0.25, 0.5, 0.25], "same")
    inner = smooth[1:-1]
    top = np.flatnonzero((inner >= smooth[:-2]) & (inner > smooth[2:]) & (inner > limits.hump_min * smooth.max())) + 1
    apart = 0.0
    for at, first in enumerate(top):
        for second in top[at + 1 :]:
            distance = float(second - first) * width
            lower = min(smooth[first], smooth[second])
            is_deep = smooth[first : second + 1].min() < _DEEP * lower - 3.0 * math.sqrt(lower)
            if limits.hump_min_adu <= distance <= limits.hump_max_adu and is_deep:
                apart = max(apart, distance)
    return apart


def blur(raw: npt.NDArray[Any], ccd: Ccd, samples: list[_Sample]) -> float:
    """LAST's measure of the images' width [pix]: the smallest of up to five windows, as one bright star widens it.

    NaN if no window has a star.
    """
    side = min(WINDOW_PIX, ccd.width, ccd.height)
    right, top = ccd.width - side, ccd.height - side
    width = math.nan
    for x0, y0 in ((right // 2, top // 2), (0, 0), (right, top), (0, top), (right, 0)):
        found = acf_width(_window(raw, samples, Box(x0, y0, side, side)))
        if not found >= width:
            width = found
        if width <= _SHARP_PIX:
            break
    return width


def _window(raw: npt.NDArray[Any], samples: list[_Sample], box: Box) -> npt.NDArray[np.float32]:
    """A part of the trimmed frame in units of the noise above the sky; 0 where an amplifier is dead or saturated."""
    out = np.zeros((box.height, box.width), np.float32)
    for one in samples:
        own = one.amp.box
        x0, x1 = max(own.x0, box.x0), min(own.x0 + own.width, box.x0 + box.width)
        y0, y1 = max(own.y0, box.y0), min(own.y0 + own.height, box.y0 + box.height)
        if x0 >= x1 or y0 >= y1:
            continue
        dx, dy = one.amp.raw_box.x0 - own.x0, one.amp.raw_box.y0 - own.y0
        pixels = raw[y0 + dy : y1 + dy, x0 + dx : x1 + dx].astype(np.float32)
        level, sigma = one.base + float(np.median(one.adu)), max(stats.mad_sigma(one.adu), 1e-3)
        part = (pixels - np.float32(level)) / np.float32(sigma)
        part[pixels > one.amp.saturation_adu] = 0.0
        out[y0 - box.y0 : y1 - box.y0, x0 - box.x0 : x1 - box.x0] = part
    return out


def acf_width(window: npt.NDArray[np.float32]) -> float:
    """Radius [pix] that holds 0.84 of the autocorrelation's mean profile without its center; NaN without stars.

    window : (n_y, n_x) in units of the noise. The median of tiles of 250 pixels, so that the halo of one bright star,
    or the trail it bleeds, tells nothing (LAST takes the window as a whole). For Moffat images of FWHM 2.4 to 12 pix it
    is 0.8 to 1.15 FWHM; less where there are fewer stars than cosmic rays.
    """
    n_y, n_x = (max(length // _TILE_PIX, 1) for length in window.shape)
    widths = [
        _tile_width(tile)
        for strip in np.array_split(window, n_y, axis=0)
        for tile in np.array_split(strip, n_x, axis=1)
    ]
    known = stats.finite(widths)
    return float(np.median(known)) if known.size >= _N_TILE_MIN else math.nan


def _tile_width(tile: npt.NDArray[np.float32]) -> float:
    stars = np.where(tile > _N_SIGMA, tile, np.float32(0.0))
    stars[~np.isfinite(stars)] = 0.0
    if not stars.any():
        return math.nan
    n_y, n_x = stars.shape
    power = np.abs(np.fft.rfft2(stars)) ** 2
    power[0, 0] = 0.0  # what stars have in common with strangers anywhere; LAST leaves it in, its fields being sparse
    reach = min(_RADIUS_PIX, min(n_y, n_x) // 2 - 1)
    offset = np.r_[0 : reach + 1, -reach:0]
    near = np.fft.irfft2(power, s=stars.shape)[np.ix_(offset, offset)]
    radius = np.round(np.hypot(offset[:, None], offset)).astype(np.int64)
    total = np.bincount(radius.ravel(), near.ravel().astype(np.float64))[1 : reach + 1]
    profile = np.maximum(total / np.bincount(radius.ravel())[1 : reach + 1], 0.0)
    if not profile.any():
        return math.nan
    share = np.cumsum(profile) / profile.sum()
    at = int(np.searchsorted(share, _SHARE))
    before = share[at - 1] if at else 0.0
    return at + float((_SHARE - before) / (share[at] - before))
