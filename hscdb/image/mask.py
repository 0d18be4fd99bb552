"""The mask planes of an image: name, bit, meaning.

Bits 0-8 are those of hscPipe's default dictionary; further planes, which hscPipe numbers by order of first use, are
fixed here. Written to FITS as `MP_<NAME> = bit`; readers must go by those keys.
"""

import numpy as np

PLANES: tuple[tuple[str, int, str], ...] = (
    ("BAD", 0, "defect of the CCD or dead amplifier"),
    ("SAT", 1, "saturated, or bled into"),
    ("INTRP", 2, "interpolated over"),
    ("CR", 3, "hit by a cosmic ray"),
    ("EDGE", 4, "too near to the edge to be measured"),
    ("DETECTED", 5, "in the footprint of a source"),
    ("DETECTED_NEGATIVE", 6, "in the footprint of a negative source"),
    ("SUSPECT", 7, "above the level where the response is trusted"),
    ("NO_DATA", 8, "no light falls here, or no data at all"),
    ("CROSSTALK", 9, "struck by the crosstalk of a bright pixel"),
    ("UNMASKEDNAN", 10, "not a number although no other plane says why"),
    ("NOT_DEBLENDED", 11, "in a blend that was not taken apart"),
    ("BRIGHT_OBJECT", 12, "near a very bright star"),
    ("CLIPPED", 13, "clipped in a coadd"),
    ("REJECTED", 14, "rejected from a coadd"),
    ("SENSOR_EDGE", 15, "edge of a CCD in a coadd"),
    ("INEXACT_PSF", 16, "the PSF of a coadd is not exact here"),
    ("FAKE", 17, "a fake source was put here"),
    ("STREAK", 18, "trail of a satellite or aeroplane"),
)
BIT: dict[str, int] = {name: bit for name, bit, _ in PLANES}
BAD, SAT, INTRP, CR, EDGE, DETECTED, DETECTED_NEGATIVE, SUSPECT, NO_DATA, CROSSTALK, UNMASKEDNAN = (
    np.int32(1 << bit) for bit in range(11)
)


def word(*names: str) -> np.int32:
    """The mask word with the planes of these names set. KeyError lists an unknown name."""
    return np.int32(sum(1 << BIT[name] for name in names))
