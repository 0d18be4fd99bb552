"""An image: pixels, their variance and their mask."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Image:
    """A frozen trio of arrays of one shape (ny, nx), pixel (x, y) at [y, x], 0-based.

    data     : float32, electrons after ISR.
    variance : float32, electrons squared.
    mask     : int32, bits of `hscdb.image.mask`.

    The arrays themselves may be written to by the function that owns them; a stage returns a new Image.
    """

    data: npt.NDArray[np.float32]
    variance: npt.NDArray[np.float32]
    mask: npt.NDArray[np.int32]

    def __post_init__(self) -> None:
        if not self.data.shape == self.variance.shape == self.mask.shape:
            raise ValueError(
                f"image: shapes differ: data {self.data.shape}, variance {self.variance.shape}, mask {self.mask.shape}"
            )

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx)."""
        return self.data.shape[0], self.data.shape[1]
