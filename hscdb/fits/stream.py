"""An image as the bytes of a FITS file, for programs that are fed through a pipe."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt

from hscdb.fits import hdu as _hdu


def image_bytes(pixels: npt.NDArray[Any], cards: _hdu.Cards = ()) -> bytes:
    """A file with the pixels (ny, nx) in its first HDU, together with `cards`.

    float32, uint8 and int32 pixels stay as they are, others become float32.
    """
    dtype = pixels.dtype if pixels.dtype in (np.float32, np.uint8, np.int32) else np.dtype(np.float32)
    file = BytesIO()
    file.write(_hdu.header_bytes(_hdu.image_header(pixels.shape, dtype, None, cards, primary=True)))
    _hdu.write_pixels(file, pixels.astype(dtype, copy=False))
    return file.getvalue()
