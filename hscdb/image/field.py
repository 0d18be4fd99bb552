"""A smooth function over a CCD: a two-dimensional polynomial in pixels or in Chebyshev polynomials.

Terms are ordered by total degree d = 0 .. order and, within a degree, x first: 1, x, y, x^2, xy, y^2, ... - the order
of the flux-correction files of hscPipe's mosaic (C_0_0, C_1_0, C_0_1, C_2_0, ...).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.polynomial import chebyshev, polynomial

Floats = npt.NDArray[np.float64]


def powers(order: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Exponents of x and y of all terms up to a total degree: two ((order + 1)(order + 2) / 2,) arrays."""
    pairs = [(d - q, q) for d in range(order + 1) for q in range(d + 1)]
    p, q = np.array(pairs, np.int64).T
    return p, q


@dataclass(frozen=True)
class Field:
    """f(x, y) = sum c_pq B_p(X) B_q(Y), X = (x - x0) / x_scale, Y = (y - y0) / y_scale.

    coefficient : (n_term,) in the order of `powers`.
    is_chebyshev : B is T_n (X and Y should stay within -1 .. 1); else the powers.
    """

    coefficient: Floats
    order: int
    x0: float = 0.0
    y0: float = 0.0
    x_scale: float = 1.0
    y_scale: float = 1.0
    is_chebyshev: bool = False

    def matrix(self) -> Floats:
        """(order + 1, order + 1) coefficients [p, q]; zero above the total degree."""
        square = np.zeros((self.order + 1, self.order + 1))
        square[powers(self.order)] = self.coefficient
        return square

    def at(self, x: npt.ArrayLike, y: npt.ArrayLike) -> Floats:
        """The function at pixels (x, y) of any one shape."""
        u = (np.asarray(x, float) - self.x0) / self.x_scale
        v = (np.asarray(y, float) - self.y0) / self.y_scale
        evaluate = chebyshev.chebval2d if self.is_chebyshev else polynomial.polyval2d
        return np.asarray(evaluate(u, v, self.matrix()))

    def render(self, shape: tuple[int, int]) -> npt.NDArray[np.float32]:
        """The function at every pixel of an image (ny, nx), float32; two matrix products, no trigonometry."""
        ny, nx = shape
        vander = chebyshev.chebvander if self.is_chebyshev else polynomial.polyvander
        tx = vander((np.arange(nx) - self.x0) / self.x_scale, self.order)
        ty = vander((np.arange(ny) - self.y0) / self.y_scale, self.order)
        return (ty @ self.matrix().T).astype(np.float32) @ tx.T.astype(np.float32)


def fit(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    values: npt.ArrayLike,
    weight: npt.ArrayLike | None,
    order: int,
    shape: tuple[int, int],
) -> Field:
    """Chebyshev field of a total degree over an image, by weighted least squares.

    Minimise sum(weight * (values - f(x, y))**2).

    x, y, values, weight : (n,); weight = 1 / error**2, None: all alike. shape : (ny, nx) of the image.
    Terms that the points do not determine come out zero (minimum norm).
    """
    ny, nx = shape
    x0, y0, x_scale, y_scale = (nx - 1) / 2, (ny - 1) / 2, max(nx / 2, 1), max(ny / 2, 1)
    u = (np.asarray(x, float) - x0) / x_scale
    v = (np.asarray(y, float) - y0) / y_scale
    z = np.asarray(values, float)
    root = np.ones_like(z) if weight is None else np.sqrt(np.asarray(weight, float))
    good = np.isfinite(u) & np.isfinite(v) & np.isfinite(z) & np.isfinite(root)
    p, q = powers(order)
    design = chebyshev.chebvander(u[good], order)[:, p] * chebyshev.chebvander(v[good], order)[:, q]
    coefficient = np.linalg.lstsq(design * root[good, None], z[good] * root[good], rcond=1e-12)[0]
    return Field(coefficient, order, x0, y0, float(x_scale), float(y_scale), is_chebyshev=True)
