"""The level of a lit frame from a thin sample of its raw rows: what flats are scaled by."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from hscdb.camera.model import Box, Camera, Ccd
from hscdb.image import stats
from hscdb.image.readout import defects

STEP = 64  # every 64th row: 130 000 pixels of an HSC CCD, level good to 1e-5


def level_e(raw: npt.NDArray[Any], ccd: Ccd, camera: Camera, boxes: Iterable[Box] = ()) -> float:
    """Median of the lit, sound pixels above the overscan [electron], each amplifier weighing by its usable pixels.

    raw : (raw_height, raw_width) frame, flipped on read. boxes : defects. NaN if no pixel is usable.
    """
    mask = np.zeros((ccd.height, ccd.width), np.int32)
    boxes = tuple(boxes)
    defects.mark(mask, boxes)
    defects.mark_unlit(mask, camera, ccd)
    bad = defects.bad_amplifiers(ccd, boxes)
    total, n_pixel = 0.0, 0
    for amp in ccd.amplifiers:
        if amp.amp in bad:
            continue
        pixels = raw[amp.raw_box.slices][::STEP].astype(np.float64)
        good = (mask[amp.box.slices][::STEP] == 0) & (pixels < amp.saturation_adu)
        base = 0.0 if amp.overscan is None else stats.clipped_mean(raw[amp.overscan.slices][::STEP])
        level = stats.median(pixels[good]) - base
        n_good = int(good.sum())
        if n_good and math.isfinite(level):
            above = level * (1.0 + amp.linearity_c0 * level)
            total += n_good * above * amp.gain_e_per_adu
            n_pixel += n_good
    return total / n_pixel if n_pixel else math.nan
