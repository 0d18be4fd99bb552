"""How a raw frame of each kind becomes the electrons that are stacked. Pure: masters and pixels are given."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from hscdb.camera.model import Box, Camera, Ccd
from hscdb.image import pattern, stats
from hscdb.image.plane import Image
from hscdb.image.readout import defects, frame, saturation
from hscdb.image.readout.frame import Steps
from hscdb.master import sources

Plane = npt.NDArray[np.float32]

OF_SKY = ("fringe", "sky")  # made of science frames


@dataclass(frozen=True)
class Recipe:
    """What is done to the frames of a kind; bias [adu], dark [e/s], flat, fringe are masters or None (not applied)."""

    kind: str
    camera: Camera
    steps: Steps
    boxes: tuple[Box, ...] = ()
    bias: Plane | None = None
    dark: Plane | None = None
    flat: Plane | None = None
    fringe: Plane | None = None

    def ccd(self, own: Ccd) -> Ccd:
        """The ccd as its frames are read out: a bias stays in adu."""
        return in_adu(own) if self.kind == "bias" else own

    def image(self, pixels: npt.NDArray[Any], own: Ccd, dark_s: float) -> tuple[Image, float | None]:
        """A raw frame (flipped on read) detrended as far as its kind wants, and the level of its sky (science frames).

        Of a fringe frame the smooth sky is taken off, of a sky frame the fringes; sources are marked DETECTED.
        DataError `no_pixels`.
        """
        bad = defects.bad_amplifiers(own, self.boxes)
        adu = frame.to_adu(pixels, own, self.steps, self.bias, bad)
        if self.kind in OF_SKY:
            defects.mark(adu.mask, self.boxes)
            defects.mark_unlit(adu.mask, self.camera, own)
        image = frame.to_electrons(adu, self.camera, own, self.steps, self.dark, dark_s, self.flat)
        if self.kind not in OF_SKY:
            return image, None
        saturation.spread(image.mask)
        level, surface = sources.hide(image)
        if self.fringe is not None:
            good = image.mask[::4, ::4] & sources.UNUSED == 0
            sigma = stats.mad_sigma((image.data - surface)[::4, ::4][good])
            found, _ = pattern.amplitude(image.data, image.mask, self.fringe, level, sigma)
            if math.isfinite(found):
                pattern.subtract(image.data, self.fringe, found)
        if self.kind == "fringe":
            image.data[:] -= surface
        return image, level


def in_adu(ccd: Ccd) -> Ccd:
    """The ccd with one electron per adu."""
    amps = [
        replace(amp, gain_e_per_adu=1.0, read_noise_e=amp.read_noise_e / amp.gain_e_per_adu) for amp in ccd.amplifiers
    ]
    return replace(ccd, amplifiers=tuple(amps))
