"""The picture of a patch against the stars that were simulated."""

from pathlib import Path

import numpy as np
from astropy.io import fits
from scipy.spatial import KDTree

from hscdb.butler import Butler
from hscdb.butler.wcs import SkyWcs
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


def _is_lone(stars: np.ndarray, wcs: SkyWcs) -> np.ndarray:
    """Stars of 17.5 to 20 mag that hardly move and have nothing within 20 pix that is not 4 mag fainter."""
    magnitude = stars["mag_hsc_i"].astype(float)
    places = np.stack(wcs.ours.sky_to_pixel(stars["ra"], stars["dec"]), axis=1)
    tree = KDTree(places)
    is_lone = (magnitude > 17.5) & (magnitude < 20) & ~stars["is_galaxy"].astype(bool)
    is_lone &= np.hypot(stars["pmra_mas_yr"], stars["pmdec_mas_yr"]) < 5.0
    for at in np.flatnonzero(is_lone):
        near = [other for other in tree.query_ball_point(places[at], 20.0) if other != at]
        is_lone[at] = all(magnitude[other] > magnitude[at] + 4 for other in near)
    return is_lone


def errors(butler: Butler, truth: Path) -> tuple[np.ndarray, int]:
    """Of each lone star of 17.5 to 20 mag on patch 0,0: how far its light lies from its true place [pix of the tract],
    error of its flux [mag], how far the nearest ellipse lies; and the number of frames on the patch."""
    (one,) = chosen(butler, "patch=0,0")
    seen = patch.of_patch(butler, one, None, Looks(snr_min=20.0), style.Style())
    tract, box = one.patch.tract, one.patch.getOuterBBox()
    all_stars = fits.getdata(truth)
    stars = all_stars[_is_lone(all_stars, tract.getWcs())]
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
        x_light, y_light = 0.0, 0.0
        for _ in range(8):  # the window follows the light, as in SExtractor's XWIN
            weight = np.exp(-((rows[1] - x_light) ** 2 + (rows[0] - y_light) ** 2) / 8) * light
            x_light += 2 * (weight * (rows[1] - x_light)).sum() / weight.sum()
            y_light += 2 * (weight * (rows[0] - y_light)).sum() / weight.sum()
        center = i + x_light, j + y_light
        found.append((
            np.hypot(center[0] - at_x, center[1] - at_y), 31.4 - 2.5 * np.log10(max(light.sum(), 1e-3)) - magnitude,
            np.hypot(*(marks - (at_x, at_y)).T).min(),
        ))  # fmt: skip
    return np.array(found), len(one.frames)
