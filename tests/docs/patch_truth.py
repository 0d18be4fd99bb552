"""The picture of a patch against the stars that were simulated."""

from pathlib import Path

import numpy as np
from astropy.io import fits

from hscdb.butler import Butler
from hscdb.display import patch, style, symbols
from hscdb.display.visit import Looks
from hscdb.image import mask as planes
from hscdb.run import select

_HALF = 6
# --id words of a patch, and what is said of them
REFUSED = (
    ("patch=1", "not of the form COLUMN,ROW"),
    ("patch=1,0", "it has 1 x 1, from 0,0 to 0,0"),
    ("patch=0,0 filter=HSC-Y", r"Patches with frames: tract=0 patch=0,0 \(12\)"),
    ("tract=7 patch=0,0", r"no frame for --id tract=7"),
)


def chosen(butler: Butler, words: str) -> list[patch.Chosen]:
    """The patches of the words of one --id."""
    return patch.chosen(butler, select.parse([words.split()]), {"visits": None, "ccds": None})


def errors(butler: Butler, truth: Path) -> tuple[np.ndarray, int]:
    """Of each lone star of 17.5 to 20 mag on patch 0,0: how far its light lies from its true place [pix of the tract],
    error of its flux [mag], how far the nearest ellipse lies; and the number of frames on the patch."""
    (one,) = chosen(butler, "patch=0,0")
    seen = patch.of_patch(butler, one, None, Looks(snr_min=20.0), style.Style())
    tract, box = one.patch.tract, one.patch.getOuterBBox()
    stars = fits.getdata(truth)
    stars = stars[(stars["mag_hsc_i"] > 17.5) & (stars["mag_hsc_i"] < 20) & ~stars["is_galaxy"].astype(bool)]
    marks = np.array([[each.x, each.y] for each in seen.shapes if isinstance(each, symbols.Ellipse)])
    rows = np.mgrid[-_HALF : _HALF + 1, -_HALF : _HALF + 1]
    x, y = tract.getWcs().ours.sky_to_pixel(stars["ra"], stars["dec"])
    found = []
    for at_x, at_y, magnitude in zip(x - box.x0, y - box.y0, stars["mag_hsc_i"], strict=True):
        i, j = round(float(at_x)), round(float(at_y))
        part = seen.content.pixels[max(j - _HALF, 0) : j + _HALF + 1, max(i - _HALF, 0) : i + _HALF + 1]
        if part.shape != rows[0].shape or not np.isfinite(part).all() or seen.content.mask[j, i] & planes.SAT:
            continue
        light = part - np.nanmedian(seen.content.pixels[max(j - 25, 0) : j + 26, max(i - 25, 0) : i + 26])
        weight = np.exp(-(rows[0] ** 2 + rows[1] ** 2) / 18) * light
        center = i + (weight * rows[1]).sum() / weight.sum(), j + (weight * rows[0]).sum() / weight.sum()
        found.append((
            np.hypot(center[0] - at_x, center[1] - at_y), 31.4 - 2.5 * np.log10(max(light.sum(), 1e-3)) - magnitude,
            np.hypot(*(marks - (at_x, at_y)).T).min(),
        ))  # fmt: skip
    return np.array(found), len(one.frames)
