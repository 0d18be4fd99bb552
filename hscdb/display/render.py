"""Pixels and masks as colors: binning, limits, stretch, and mask planes over the image."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hscdb.display import style
from hscdb.errors import ConfigError

STRETCHES = ("linear", "asinh", "log")
_SOFT = 10.0  # asinh and log: how many times steeper they are at the lower limit than at the upper
_BLANK = (70, 70, 90)  # where there are no pixels: told from every gray
_N_SAMPLE = 40_000  # pixels that limits are found from: 0.5 % of the noise
_CONTRAST = 0.25  # zscale: IRAF's default


def binned(pixels: npt.NDArray[Any], n_bin: int) -> npt.NDArray[np.float32]:
    """Means of the finite pixels of n_bin x n_bin boxes; NaN where there is none. What does not fill a box is kept."""
    if n_bin == 1:
        return pixels.astype(np.float32, copy=False)
    found = _padded(pixels.astype(np.float32, copy=False), n_bin, np.nan)
    is_good = np.isfinite(found)
    if is_good.all():
        return _summed(found, n_bin) / np.float32(n_bin**2)
    n_good = _summed(is_good.astype(np.float32), n_bin)
    total = _summed(np.where(is_good, found, np.float32(0)), n_bin)
    return np.divide(total, n_good, out=np.full_like(total, np.nan), where=n_good > 0)


def binned_mask(mask: npt.NDArray[np.int32], n_bin: int) -> npt.NDArray[np.int32]:
    """Planes that are set in any pixel of n_bin x n_bin boxes."""
    if n_bin == 1:
        return mask
    found = _padded(mask, n_bin, 0)
    rows = np.bitwise_or.reduce(found.reshape(found.shape[0] // n_bin, n_bin, found.shape[1]), axis=1)
    return np.bitwise_or.reduce(rows.reshape(rows.shape[0], rows.shape[1] // n_bin, n_bin), axis=2)


def _padded(pixels: npt.NDArray[Any], n_bin: int, blank: float) -> npt.NDArray[Any]:
    ny, nx = pixels.shape
    more = (-ny % n_bin, -nx % n_bin)
    return pixels if more == (0, 0) else np.pad(pixels, ((0, more[0]), (0, more[1])), constant_values=blank)


def _summed(pixels: npt.NDArray[np.float32], n_bin: int) -> npt.NDArray[np.float32]:
    ny, nx = pixels.shape
    rows = pixels.reshape(ny // n_bin, n_bin, nx).sum(axis=1)
    return rows.reshape(ny // n_bin, nx // n_bin, n_bin).sum(axis=2)


def limits(pixels: npt.NDArray[Any], scale: str) -> tuple[float, float]:
    """Values shown black and white: `zscale`, `minmax`, `99.5` (per cent of the pixels) or `LOW,HIGH`.

    zscale is IRAF's: a line through the sorted values of a sample, its slope divided by the contrast.
    ConfigError `bad_scale`.
    """
    finite = pixels[np.isfinite(pixels)]
    if finite.size == 0:
        return 0.0, 1.0
    sample = finite[:: max(finite.size // _N_SAMPLE, 1)]
    if scale == "zscale":
        found = _zscale(np.sort(sample).astype(np.float64))
    elif scale == "minmax":
        found = float(finite.min()), float(finite.max())
    else:
        found = _said(sample, scale)
    return found if found[0] < found[1] else (found[0], found[0] + 1.0)


def _said(sample: npt.NDArray[Any], scale: str) -> tuple[float, float]:
    try:
        words = [float(word) for word in scale.split(",")]
        if len(words) == 2:
            return words[0], words[1]
        if len(words) == 1 and 0 < words[0] <= 100:
            low, high = np.percentile(sample, [50 - words[0] / 2, 50 + words[0] / 2])
            return float(low), float(high)
    except ValueError:
        pass
    raise ConfigError(f"scale {scale}: give zscale, minmax, a percentage such as 99.5, or LOW,HIGH.", code="bad_scale")


def _zscale(ordered: npt.NDArray[np.float64]) -> tuple[float, float]:
    """IRAF's zscale of sorted values: the line is fitted with pixels off by 2.5 sigma left out, five times."""
    n = ordered.size
    middle, rank = float(np.median(ordered)), np.arange(n) - (n - 1) / 2
    is_used = np.ones(n, bool)
    slope = 0.0
    for _ in range(5):
        if is_used.sum() < max(n // 2, 5):
            return float(ordered[0]), float(ordered[-1])
        slope, constant = np.polyfit(rank[is_used], ordered[is_used], 1)
        off = ordered - (slope * rank + constant)
        is_near = np.abs(off) < 2.5 * off[is_used].std()
        if (is_near == is_used).all():
            break
        is_used = is_near
    half = slope / _CONTRAST * (n - 1) / 2
    return max(float(ordered[0]), middle - half), min(float(ordered[-1]), middle + half)


def gray(pixels: npt.NDArray[Any], low: float, high: float, stretch: str = "linear") -> npt.NDArray[np.uint8]:
    """Gray levels 0..255 between two limits; 0 where there is no number. ConfigError `bad_stretch`."""
    level = np.clip((np.nan_to_num(pixels, nan=low, posinf=high, neginf=low) - low) / (high - low), 0.0, 1.0)
    if stretch == "asinh":
        level = np.arcsinh(_SOFT * level) / np.arcsinh(_SOFT)
    elif stretch == "log":
        level = np.log1p(_SOFT * level) / np.log1p(_SOFT)
    elif stretch != "linear":
        raise ConfigError(f"stretch {stretch}: not one of {', '.join(STRETCHES)}.", code="bad_stretch")
    return (level * 255 + 0.5).astype(np.uint8)


def colors(
    pixels: npt.NDArray[Any], mask: npt.NDArray[np.int32] | None, how: style.Style, *, scale: str, stretch: str
) -> npt.NDArray[np.uint8]:
    """Red, green, blue (ny, nx, 3): gray levels with the planes of the mask over them; bluish where no number is."""
    picture = np.repeat(gray(pixels, *limits(pixels, scale), stretch)[:, :, None], 3, axis=2)
    is_blank = ~np.isfinite(pixels)
    if mask is not None:
        opacity = 1.0 - how.transparency / 100.0
        for _, bit, color in how.shown():
            is_set = (mask & bit) != 0
            under = picture[is_set].astype(np.float32)
            picture[is_set] = (under * (1.0 - opacity) + np.array(style.rgb(color)) * opacity + 0.5).astype(np.uint8)
    picture[is_blank] = _BLANK
    return picture
