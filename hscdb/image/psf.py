"""The point-spread function of a frame: a stamp of pixels whose every pixel is a polynomial of the place on the CCD."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from hscdb.image import moments, resample

MODELS = ("pixel", "constant", "gaussian")


@numba.njit(cache=True, nogil=True, error_model="numpy")
def fill_terms(x, y, order, scale_x, scale_y, term):
    """Fill the polynomial terms u^i v^j, i + j <= order, u and v being x and y scaled to -1..1 over the frame."""
    u = (2.0 * x - (scale_x - 1.0)) / max(scale_x - 1.0, 1.0)
    v = (2.0 * y - (scale_y - 1.0)) / max(scale_y - 1.0, 1.0)
    # beyond the frame (sources on its rim) the polynomial is held, not extrapolated
    u = min(max(u, -1.0), 1.0)
    v = min(max(v, -1.0), 1.0)
    k = 0
    for total in range(order + 1):
        for j in range(total + 1):
            term[k] = u ** (total - j) * v**j
            k += 1


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def fill_stamp(coefficient, term, stamp):
    """Fill stamp (n, n) = sum_k term[k] coefficient[k], normalised to sum 1."""
    n = stamp.shape[0]
    total = 0.0
    for j in range(n):
        for i in range(n):
            stamp[j, i] = 0.0
    for k in range(coefficient.shape[0]):
        t = term[k]
        for j in range(n):
            for i in range(n):
                stamp[j, i] += t * coefficient[k, j, i]
    for j in range(n):
        for i in range(n):
            total += stamp[j, i]
    for j in range(n):
        for i in range(n):
            stamp[j, i] /= total


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _stamps(coefficient, order, scale_x, scale_y, x, y, out):
    term = np.empty(coefficient.shape[0])
    for k in range(len(x)):
        fill_terms(x[k], y[k], order, scale_x, scale_y, term)
        fill_stamp(coefficient, term, out[k])


def n_term(order: int) -> int:
    """Number of terms of a polynomial of two variables of total order `order`."""
    return (order + 1) * (order + 2) // 2


def terms(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], order: int, shape: tuple[int, int]
) -> npt.NDArray[np.float64]:
    """The terms u^i v^j, i + j <= order, at m places of a frame of `shape`: (m, n_term)."""
    design = np.empty((len(x), n_term(order)))
    for k in range(len(x)):
        fill_terms(x[k], y[k], order, shape[1], shape[0], design[k])
    return design


@dataclass(frozen=True)
class Psf:
    """PSF(dx, dy; x, y) = sum_k u^i v^j coefficient[k], i + j <= order.

    coefficient : (n_term, n, n) float64, n odd; pixel values with the star's centre on the centre of pixel n // 2.
                  Terms in the order 1; u, v; u^2, u v, v^2; ... with u, v = x, y scaled to -1..1 over the frame.
    order       : total order of the polynomial.
    model       : "pixel" (varies over the frame), "constant" (does not), "gaussian" (no star supported more).
    shape       : (ny, nx) of the frame.
    noise       : (n_term, n_term) covariance of the terms from the noise of the stars, relative to the PSF itself: at a
                  place with terms t it is as uncertain as one star of S/N (t noise t)^(-1/2). None: not known.
    """

    coefficient: npt.NDArray[np.float64]
    order: int
    model: str
    shape: tuple[int, int]
    noise: npt.NDArray[np.float64] | None = None

    @property
    def size(self) -> int:
        """Pixels on a side of a stamp."""
        return int(self.coefficient.shape[1])

    def at(self, x: float, y: float) -> npt.NDArray[np.float64]:
        """The stamp (n, n) of a star at (x, y), centred on the stamp's middle pixel, sum 1."""
        stamp: npt.NDArray[np.float64] = self.at_many(np.array([x]), np.array([y]))[0]
        return stamp

    def at_many(self, x: npt.ArrayLike, y: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """The stamps (m, n, n) at m places."""
        x = np.ascontiguousarray(x, dtype=np.float64)
        y = np.ascontiguousarray(y, dtype=np.float64)
        out = np.empty((len(x), self.size, self.size))
        _stamps(self.coefficient, self.order, self.shape[1], self.shape[0], x, y, out)
        return out

    def image(self, x: float, y: float) -> tuple[npt.NDArray[np.float64], int, int]:
        """A star of flux 1 at (x, y) on the frame's pixels: stamp (n, n), and the frame pixel x0, y0 of its [0, 0]."""
        ix, iy = int(np.floor(x + 0.5)), int(np.floor(y + 0.5))
        half = self.size // 2
        return resample.shift(self.at(x, y), x - ix, y - iy), ix - half, iy - half

    @cached_property
    def _moment_fit(self) -> tuple[npt.NDArray[np.floating], int]:
        ny, nx = self.shape
        order = 0 if self.order == 0 else self.order + 1
        grid = np.linspace(0.0, 1.0, 1 if order == 0 else 6)
        v, u = (a.ravel() for a in np.meshgrid(grid * (ny - 1), grid * (nx - 1), indexing="ij"))
        if order == 0:
            u, v = np.array([(nx - 1) / 2]), np.array([(ny - 1) / 2])
        found = moments.stamp_moments(self.at_many(u, v))[:, 2:]
        found = np.where(np.isfinite(found), found, np.nanmedian(found, axis=0) if np.isfinite(found).any() else 2.5)
        return np.linalg.lstsq(terms(u, v, order, self.shape), found, rcond=None)[0], order

    def moments(self, x: npt.ArrayLike, y: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Adaptive moments ixx, iyy, ixy [pix^2] of the PSF at m places, (m, 3).

        From a polynomial of one order more through a 6 x 6 grid; it follows the stamps' own to better than 0.1 %.
        """
        coefficient, order = self._moment_fit
        x = np.atleast_1d(np.asarray(x, dtype=np.float64))
        y = np.atleast_1d(np.asarray(y, dtype=np.float64))
        result: npt.NDArray[np.float64] = terms(x, y, order, self.shape) @ coefficient
        return result

    def sigma(self, x: npt.ArrayLike, y: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Determinant radius (ixx iyy - ixy^2)^(1/4) [pix] at m places."""
        m = self.moments(x, y)
        return np.asarray((m[:, 0] * m[:, 1] - m[:, 2] ** 2) ** 0.25)

    def relative_variance(self, x: npt.ArrayLike, y: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Variance of the PSF at m places over its square: 1 / (S/N)^2 of the star it is worth, (m,); 0 if unknown."""
        x, y = (np.atleast_1d(np.asarray(each, dtype=np.float64)) for each in (x, y))
        if self.noise is None:
            return np.zeros(len(x))
        design = terms(x, y, self.order, self.shape)
        return np.asarray(np.einsum("mi,ij,mj->m", design, self.noise, design))

    def to_table(self) -> tuple[npt.NDArray[np.void], dict[str, Any]]:
        """One row per term: power_x, power_y, pixels (n, n); and the header words that go with it."""
        rows = np.zeros(
            len(self.coefficient), [("power_x", "i2"), ("power_y", "i2"), ("pixels", "f4", (self.size, self.size))]
        )
        powers = [(total - j, j) for total in range(self.order + 1) for j in range(total + 1)]
        rows["power_x"], rows["power_y"] = np.array(powers).T
        rows["pixels"] = self.coefficient
        words = {"PSFMODEL": self.model, "PSFORDER": self.order, "PSFNX": self.shape[1], "PSFNY": self.shape[0]}
        return rows, words

    @classmethod
    def from_table(cls, rows: npt.NDArray[np.void], words: dict[str, Any]) -> "Psf":
        """The PSF that `to_table` wrote. KeyError if a header word is missing."""
        return cls(
            np.ascontiguousarray(rows["pixels"], dtype=np.float64),
            int(words["PSFORDER"]),
            str(words["PSFMODEL"]).strip(),
            (int(words["PSFNY"]), int(words["PSFNX"])),
        )


def constant(stamp: npt.NDArray[np.floating], shape: tuple[int, int], model: str = "constant") -> Psf:
    """The same stamp (n, n) everywhere on a frame."""
    return Psf(np.asarray(stamp, dtype=np.float64)[None] / np.sum(stamp), 0, model, shape)


def gaussian(sigma: float, shape: tuple[int, int], half: int | None = None) -> Psf:
    """A round Gaussian of `sigma` pixels on a frame of `shape`; stamps of 2 half + 1 pixels (5 sigma by default)."""
    half = int(np.ceil(5 * sigma)) if half is None else half
    profile = np.exp(-0.5 * (np.arange(-half, half + 1) / sigma) ** 2)
    return constant(profile[:, None] * profile[None, :], shape, "gaussian")
