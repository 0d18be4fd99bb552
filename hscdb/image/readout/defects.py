"""Pixels that cannot be used: defects of the CCD, dead amplifiers, and what no light reaches."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from hscdb.camera.focalplane import focal_to_pixel
from hscdb.camera.model import Box, Camera, Ccd
from hscdb.image.mask import BAD, NO_DATA


def bad_amplifiers(ccd: Ccd, boxes: Iterable[Box]) -> frozenset[int]:
    """Numbers of the amplifiers that lie wholly in one defect box: they are dead, and so is their overscan."""
    boxes = tuple(boxes)
    return frozenset(
        amp.amp
        for amp in ccd.amplifiers
        if any(
            box.x0 <= amp.box.x0
            and box.y0 <= amp.box.y0
            and box.x0 + box.width >= amp.box.x0 + amp.box.width
            and box.y0 + box.height >= amp.box.y0 + amp.box.height
            for box in boxes
        )
    )


def mark(mask: npt.NDArray[np.int32], boxes: Iterable[Box]) -> None:
    """Set BAD in these boxes of the trimmed image, in place; what reaches over the edge is cut."""
    for box in boxes:
        rows = slice(max(box.y0, 0), max(box.y0 + box.height, 0))
        columns = slice(max(box.x0, 0), max(box.x0 + box.width, 0))
        mask[rows, columns] |= BAD


def lit_columns(camera: Camera, ccd: Ccd) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None:
    """First and one-past-last column inside the lit circle of the focal plane, for each row: two (ny,) arrays.

    None if the circle covers the whole CCD or the camera names none. A CCD is a rotated piece of the focal plane with
    pixels of one size, so the circle is a circle on it, too.
    """
    if camera.vignette is None:
        return None
    u, v, radius = camera.vignette
    x, y = (float(place) for place in focal_to_pixel(ccd, u, v))
    corner = np.hypot(
        np.maximum(abs(x), abs(ccd.width - 1 - x)), np.maximum(abs(y), abs(ccd.height - 1 - y))
    )  # distance of the farthest corner
    if corner <= radius:
        return None
    half_square = radius**2 - (np.arange(ccd.height) - y) ** 2
    half = np.sqrt(np.maximum(half_square, 0.0))
    first = np.where(half_square > 0, np.clip(np.ceil(x - half), 0, ccd.width), ccd.width).astype(np.int64)
    end = np.where(half_square > 0, np.clip(np.floor(x + half) + 1, 0, ccd.width), ccd.width).astype(np.int64)
    return first, np.maximum(end, first)


def mark_unlit(mask: npt.NDArray[np.int32], camera: Camera, ccd: Ccd) -> None:
    """Set NO_DATA outside the lit circle, in place. mask : (ny, nx) of the trimmed CCD."""
    lit = lit_columns(camera, ccd)
    if lit is None:
        return
    for y, (first, end) in enumerate(zip(*lit, strict=True)):
        mask[y, :first] |= NO_DATA
        mask[y, end:] |= NO_DATA
