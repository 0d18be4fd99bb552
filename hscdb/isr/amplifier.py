"""Amplifiers that fell silent in a frame, though no defect list says so: their sky is missing."""

import numpy as np

from hscdb.camera.model import Ccd
from hscdb.image import stats
from hscdb.image.plane import Image

STEP_Y, STEP_X = 16, 8  # 16 000 pixels of an HSC amplifier
_N_MIN = 200
_LEAST_E = 30.0  # a fainter sky of the others tells nothing


def silent(image: Image, ccd: Ccd, ratio_min: float) -> frozenset[int]:
    """Amplifiers whose sky is below ratio_min times the median of the others that have one.

    image : in electrons, divided by the flat; only pixels without any mask bit count. A frame whose sky was subtracted
    or is too dark has none.
    """
    level = {}
    for amp in ccd.amplifiers:
        part = image.data[amp.box.slices][::STEP_Y, ::STEP_X]
        good = image.mask[amp.box.slices][::STEP_Y, ::STEP_X] == 0
        if good.sum() >= _N_MIN:
            level[amp.amp] = stats.median(part[good])
    found = set()
    for number, own in level.items():
        others = [one for other, one in level.items() if other != number and one > _LEAST_E]
        if ratio_min > 0.0 and others and own < ratio_min * float(np.median(others)):
            found.add(number)
    return frozenset(found)
