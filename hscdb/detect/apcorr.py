"""Aperture corrections: what turns a PSF or Gaussian flux into the 12-pix aperture's, over the frame."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.polynomial import chebyshev

N_CLIP = 4
N_SIGMA = 3.0


@dataclass(frozen=True)
class Correction:
    """A Chebyshev surface of the factor reference / flux. n_star = 0: no star, the factor is 1."""

    coefficient: npt.NDArray[np.float64]
    shape: tuple[int, int]
    n_star: int
    scatter: float

    def at(self, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The factor at pixels (x, y)."""
        u, v = _unit(x, self.shape[1]), _unit(y, self.shape[0])
        return np.asarray(chebyshev.chebval2d(u, v, self.coefficient))

    def rows(self, name: str) -> npt.NDArray[np.void]:
        """One row per term of T_j(y) T_i(x): flux, order_x, order_y, coefficient, n_star, scatter."""
        rows = np.zeros(
            self.coefficient.size,
            [("flux", "S16"), ("order_x", "i2"), ("order_y", "i2"), ("coefficient", "f8"), ("n_star", "i4"),
             ("scatter", "f8")],
        )  # fmt: skip
        rows["flux"], rows["n_star"], rows["scatter"] = name.encode(), self.n_star, self.scatter
        # chebval2d(u, v, c) sums c[i, j] T_i(u) T_j(v): the first index is that of x
        rows["order_x"], rows["order_y"] = (index.ravel() for index in np.indices(self.coefficient.shape))
        rows["coefficient"] = self.coefficient.ravel()
        return rows


def _unit(x: npt.NDArray[np.float64], n: int) -> npt.NDArray[np.float64]:
    return np.clip((2.0 * x - (n - 1)) / max(n - 1, 1), -1.0, 1.0)


def fit(
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    flux: npt.NDArray[np.float64],
    flux_err: npt.NDArray[np.float64],
    reference: npt.NDArray[np.float64],
    reference_err: npt.NDArray[np.float64],
    shape: tuple[int, int],
    order: int = 2,
) -> Correction:
    """Fit reference / flux of stars by Chebyshev terms of total order `order`, clipped at 3 sigma four times.

    The order is lowered until three stars are there per term (hscPipe: one degree of freedom); a star weighs by the
    error of its ratio, at least 0.2 %. Stars without a finite positive pair are left out.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = reference / flux
        error = np.hypot(np.abs(ratio) * np.hypot(reference_err / reference, flux_err / flux) / np.sqrt(2), 0.002)
    good = np.isfinite(ratio) & np.isfinite(error) & (flux > 0) & (reference > 0)
    if not good.any():
        return Correction(np.ones((1, 1)), shape, 0, float("nan"))
    u, v = _unit(x[good], shape[1]), _unit(y[good], shape[0])
    ratio, error = ratio[good], error[good]
    keep = np.abs(ratio - np.median(ratio)) < 0.2
    keep = keep if keep.any() else np.ones(len(ratio), np.bool_)
    for _ in range(N_CLIP):
        while order > 0 and keep.sum() < 3 * (order + 1) * (order + 2) // 2:
            order -= 1
        terms = [(i, j) for i in range(order + 1) for j in range(order + 1 - i)]
        basis = chebyshev.chebvander2d(u, v, [order, order]).reshape(-1, order + 1, order + 1)
        design = np.stack([basis[:, i, j] for i, j in terms], axis=1)
        solution = np.linalg.lstsq(design[keep] / error[keep, None], ratio[keep] / error[keep], rcond=None)[0]
        residual = ratio - design @ solution
        scatter = float(np.sqrt(np.mean(residual[keep] ** 2)))
        pull = np.abs(residual) / np.maximum(error, scatter)
        new = pull < N_SIGMA
        if (new == keep).all() or not new.any():
            break
        keep = new
    coefficient = np.zeros((order + 1, order + 1))
    for (i, j), value in zip(terms, solution, strict=True):
        coefficient[i, j] = value
    return Correction(coefficient, shape, int(keep.sum()), scatter)
