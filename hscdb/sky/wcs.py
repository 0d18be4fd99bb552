"""World coordinates of a frame: TAN with SIP distortion, pixel to sky and back.

With u = x - crpix_x, v = y - crpix_y (0-based pixels), the plane coordinates in degrees are

    (xi, eta) = cd (u + A(u, v), v + B(u, v)),    A = sum A_pq u^p v^q,

and (ra, dec) the direction of (xi, eta) in the tangent plane at crval (Shupe et al. 2005, ASPC 347, 491). The inverse
is Newton's iteration on the forward polynomials, never a fitted AP/BP; `inverse_sip` makes AP/BP for readers that
know nothing better.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hscdb.errors import DataError, InputError
from hscdb.sky import inverse, polynomial, sphere, tpv

Floats = NDArray[np.float64]


def _zero() -> Floats:
    return np.zeros((1, 1))


@dataclass(frozen=True, eq=False)
class Wcs:
    """A TAN-SIP WCS.

    crval : (ra, dec) of the tangent point, degrees.    crpix : (x, y) of it, 0-based pixels; may lie off the frame.
    cd    : (2, 2) degrees per pixel.                   a, b  : (order+1, order+1), SIP coefficients at [p, q].
    """

    crval: tuple[float, float]
    crpix: tuple[float, float]
    cd: Floats
    a: Floats = field(default_factory=_zero)
    b: Floats = field(default_factory=_zero)

    def __post_init__(self) -> None:
        for name in ("cd", "a", "b"):
            object.__setattr__(self, name, np.array(getattr(self, name), dtype=np.float64))
        for name in ("crval", "crpix"):
            first, second = getattr(self, name)
            object.__setattr__(self, name, (float(first), float(second)))
        if self.cd.shape != (2, 2) or self.a.shape != self.b.shape or self.a.shape != (len(self.a), len(self.a)):
            raise ValueError(f"wcs: shapes cd {self.cd.shape}, a {self.a.shape}, b {self.b.shape}")
        numbers = np.concatenate([self.crval, self.crpix, self.cd.ravel(), self.a.ravel(), self.b.ravel()])
        if not np.isfinite(numbers).all() or np.linalg.det(self.cd) == 0.0:
            raise DataError("wcs: coefficients that are not finite, or a singular CD matrix.", code="bad_wcs")

    @property
    def order(self) -> int:
        """Order of the SIP polynomials."""
        return len(self.a) - 1

    def sip_a(self) -> list[float]:
        """A_pq as stored: for p in 0..order, for q in 0..order-p."""
        return polynomial.flatten(self.a)

    def sip_b(self) -> list[float]:
        """B_pq as stored."""
        return polynomial.flatten(self.b)

    @classmethod
    def from_flat(
        cls,
        crval: tuple[float, float],
        crpix: tuple[float, float],
        cd: ArrayLike,
        sip_order: int,
        sip_a: ArrayLike,
        sip_b: ArrayLike,
    ) -> Wcs:
        """From the columns of `wcs_solution`; cd is (2, 2) or its four numbers row by row."""
        a, b = (polynomial.unflatten(flat, sip_order) for flat in (sip_a, sip_b))
        return cls(crval, crpix, np.reshape(np.asarray(cd, dtype=np.float64), (2, 2)), a, b)

    def pixel_to_plane(self, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
        """Tangent-plane coordinates (xi, eta) about crval, degrees."""
        u, v = np.subtract(x, self.crpix[0], dtype=np.float64), np.subtract(y, self.crpix[1], dtype=np.float64)
        f, g = u + polynomial.evaluate(self.a, u, v), v + polynomial.evaluate(self.b, u, v)
        return self.cd[0, 0] * f + self.cd[0, 1] * g, self.cd[1, 0] * f + self.cd[1, 1] * g

    def pixel_to_sky(self, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
        """(ra, dec) of 0-based pixels, degrees."""
        return sphere.deproject(*self.pixel_to_plane(x, y), *self.crval)

    def sky_to_pixel(self, ra: ArrayLike, dec: ArrayLike) -> tuple[Floats, Floats]:
        """0-based pixels (x, y) of directions; NaN behind the tangent plane or where the distortion has no inverse."""
        return self.plane_to_pixel(*sphere.project(ra, dec, *self.crval))

    def plane_to_pixel(self, xi: ArrayLike, eta: ArrayLike) -> tuple[Floats, Floats]:
        """0-based pixels of tangent-plane coordinates [deg].

        Newton's iteration on u + A(u, v) = U, v + B(u, v) = V to 1e-10 pix, started at (U, V). A step that does not
        bring the point nearer is halved; a solution on a folded-over branch (negative Jacobian) is none. Both happen
        only far outside of the frame the polynomials were made for, and give NaN.
        """
        back = np.linalg.inv(self.cd)
        xi, eta = np.broadcast_arrays(np.asarray(xi, dtype=np.float64), np.asarray(eta, dtype=np.float64))
        shape = xi.shape
        goal = np.stack([back[0, 0] * xi + back[0, 1] * eta, back[1, 0] * xi + back[1, 1] * eta])
        goal = goal.reshape(2, -1)
        if self.order < 1 or not (self.a.any() or self.b.any()):
            uv = goal
        else:
            uv = inverse.solve(self.a, self.b, goal)
        return (uv[0] + self.crpix[0]).reshape(shape), (uv[1] + self.crpix[1]).reshape(shape)

    def plane_jacobian(self, x: ArrayLike, y: ArrayLike) -> Floats:
        """Matrix d(xi, eta) / d(x, y), degrees per pixel, shape (..., 2, 2)."""
        u, v = np.subtract(x, self.crpix[0], dtype=np.float64), np.subtract(y, self.crpix[1], dtype=np.float64)
        (ax, ay), (bx, by) = polynomial.derivatives(self.a), polynomial.derivatives(self.b)
        row_f = np.stack([1.0 + polynomial.evaluate(ax, u, v), polynomial.evaluate(ay, u, v)], axis=-1)
        row_g = np.stack([polynomial.evaluate(bx, u, v), 1.0 + polynomial.evaluate(by, u, v)], axis=-1)
        return np.asarray(self.cd @ np.stack([row_f, row_g], axis=-2))

    def plane_area(self, x: ArrayLike, y: ArrayLike) -> Floats:
        """Area of pixels in the tangent plane, deg^2: |det d(xi, eta) / d(x, y)|."""
        u, v = np.subtract(x, self.crpix[0], dtype=np.float64), np.subtract(y, self.crpix[1], dtype=np.float64)
        (ax, ay), (bx, by) = polynomial.derivatives(self.a), polynomial.derivatives(self.b)
        det = (1.0 + polynomial.evaluate(ax, u, v)) * (1.0 + polynomial.evaluate(by, u, v))
        det -= polynomial.evaluate(ay, u, v) * polynomial.evaluate(bx, u, v)
        return np.asarray(np.abs(det * np.linalg.det(self.cd)))

    def pixel_area(self, x: ArrayLike, y: ArrayLike) -> Floats:
        """True solid angle of pixels on the sphere, deg^2: the plane's area times cos^3 of the angle to crval."""
        xi, eta = self.pixel_to_plane(x, y)
        return np.asarray(self.plane_area(x, y) * (1.0 + np.radians(xi) ** 2 + np.radians(eta) ** 2) ** -1.5)

    def corners(self, width: int, height: int) -> tuple[Floats, Floats]:
        """(ra, dec), each (4,), of the frame's corners at pixel edges: (x0, y0), (x1, y0), (x1, y1), (x0, y1)."""
        x0, y0, x1, y1 = -0.5, -0.5, width - 0.5, height - 0.5
        return self.pixel_to_sky(np.array([x0, x1, x1, x0]), np.array([y0, y0, y1, y1]))

    def inverse_sip(self, width: int, height: int, order: int | None = None) -> tuple[Floats, Floats]:
        """AP and BP, (order+1, order+1), for readers without an iterative inverse; default order: one more than A's.

        u = U + AP(U, V), fitted without weights to a noise-free grid of the whole frame (u, v are exact there).
        """
        n = self.order + 1 if order is None else order
        x, y = polynomial.grid(width, height, n)
        u, v = x - self.crpix[0], y - self.crpix[1]
        big_u, big_v = u + polynomial.evaluate(self.a, u, v), v + polynomial.evaluate(self.b, u, v)
        frame = polynomial.Scaling.of(big_u, big_v)
        matrix = polynomial.design(*frame.apply(big_u, big_v), n)  # Legendre's: its columns are nearly orthogonal
        solution = np.linalg.solve(matrix.T @ matrix, matrix.T @ np.stack([u - big_u, v - big_v], axis=1))
        ap, bp = (frame.expand(polynomial.from_legendre(column, n), (0.0, 0.0)) for column in solution.T)
        return ap, bp


def fit(
    x: ArrayLike,
    y: ArrayLike,
    ra: ArrayLike,
    dec: ArrayLike,
    weight: ArrayLike | None,
    crval: tuple[float, float],
    crpix: tuple[float, float],
    order: int,
) -> Wcs:
    """The TAN-SIP WCS of this order nearest to points known in both pixels and sky.

    Minimises sum weight (|(xi, eta) - (P(x, y), Q(x, y))|)^2 over the polynomials P, Q of total degree `order`, linear
    in their coefficients; (xi, eta) are plane coordinates about crval. P(crpix) is then moved into crval and the fit
    repeated until nothing more is gained (two or three rounds). crpix stays as given; crval is where it falls.

    x, y    : (n,) 0-based pixels.       ra, dec : (n,) degrees.
    weight  : (n,) 1 / sigma^2 in any common unit, or None for equal weights; points with weight 0 are left out.
    DataError `too_few_stars` if the points cannot fix the polynomials.
    """
    xs, ys, ras, decs = (np.asarray(values, dtype=np.float64).ravel() for values in (x, y, ra, dec))
    w = np.ones_like(xs) if weight is None else np.asarray(weight, dtype=np.float64).ravel()
    used = (w > 0.0) & np.isfinite(xs + ys + ras + decs + w)
    xs, ys, ras, decs, root = xs[used], ys[used], ras[used], decs[used], np.sqrt(w[used])
    degree = max(order, 1)
    n_term = polynomial.n_coefficient(degree)
    if len(xs) < n_term:
        raise DataError(f"wcs: {len(xs)} stars for order {order} (at least {n_term} needed).", code="too_few_stars")
    frame = polynomial.Scaling.of(xs, ys)
    q, r = np.linalg.qr(polynomial.design(*frame.apply(xs, ys), degree) * root[:, None])
    diagonal = np.abs(np.diag(r))
    if diagonal.min() < 1e-10 * diagonal.max():
        raise DataError(f"wcs: the stars lie too badly for a fit of order {order}.", code="too_few_stars")
    return _through(ras, decs, root, np.linalg.solve(r, q.T), frame, crval, crpix, degree)


def _through(
    ra: Floats, dec: Floats, root: Floats, to_terms: Floats, frame: polynomial.Scaling, crval: tuple[float, float],
    crpix: tuple[float, float], degree: int,
) -> Wcs:  # fmt: skip
    """`fit` by the matrix (n_term, n) from plane coordinates times root (n,) to Legendre terms in the frame's box."""
    left = np.inf
    while True:
        target = np.stack(sphere.project(ra, dec, *crval), axis=1) * root[:, None]
        if not np.isfinite(target).all():
            raise DataError("wcs: stars 90 deg or more from the tangent point.", code="bad_wcs")
        plane = [frame.expand(polynomial.from_legendre(c, degree), crpix) for c in (to_terms @ target).T]
        rest = plane[0][0, 0], plane[1][0, 0]
        # Rounding leaves some 1e-11 deg where crpix is far off the stars: moving on from there would be a random walk.
        if np.hypot(*rest) < 1e-13 or np.hypot(*rest) > 0.1 * left:
            break
        left = np.hypot(*rest)
        ra0, dec0 = sphere.deproject(*rest, *crval)
        crval = float(ra0), float(dec0)
    return _from_plane(plane[0], plane[1], crval, crpix)


@cache
def _grid(width: int, height: int, degree: int) -> tuple[polynomial.Scaling, Floats]:
    """The box around a frame's points, and the matrix of `_through`: the frames of a camera share them."""
    x, y = polynomial.grid(width, height, degree)
    frame = polynomial.Scaling.of(x, y)
    q, r = np.linalg.qr(polynomial.design(*frame.apply(x, y), degree))
    return frame, np.asarray(np.linalg.solve(r, q.T), np.float64)


def approximate(
    function: Callable[[Floats, Floats], tuple[Floats, Floats]],
    width: int,
    height: int,
    crval: tuple[float, float],
    crpix: tuple[float, float],
    order: int,
) -> Wcs:
    """The TAN-SIP WCS of this order nearest to any mapping (x, y) -> (ra, dec) over a frame of this size."""
    ra, dec = function(*polynomial.grid(width, height, max(order, 1)))
    return through(ra, dec, width, height, crval, crpix, order)


def through(
    ra: Floats, dec: Floats, width: int, height: int, crval: tuple[float, float], crpix: tuple[float, float], order: int
) -> Wcs:
    """As `approximate`, of a mapping known at the points polynomial.grid(width, height, order): ra, dec (n,) [deg]."""
    degree = max(order, 1)
    frame, to_terms = _grid(width, height, degree)
    return _through(ra, dec, np.ones(ra.size), to_terms, frame, crval, crpix, degree)


def from_tpv(
    crval: tuple[float, float],
    crpix: tuple[float, float],
    cd: ArrayLike,
    pv1: Mapping[int, float],
    pv2: Mapping[int, float],
    width: int | None = None,
    height: int | None = None,
) -> Wcs:
    """The TAN-SIP WCS of a TPV header (terms PV1_k, PV2_k by k; 0-based crpix).

    Without radial terms the conversion is exact: the polynomials are composed with CD and expanded about the pixel
    where they vanish, which becomes crpix; crval stays. With radial terms a SIP of order 7 is fitted over the
    frame of the given size. InputError `bad_wcs` if that size is missing or the polynomials vanish nowhere.
    """
    matrix = np.reshape(np.asarray(cd, dtype=np.float64), (2, 2))
    order = max(tpv.degree(pv1), tpv.degree(pv2))
    xi, eta = (polynomial.compose(tpv.polynomial_of(pv, k, order), matrix) for k, pv in ((1, pv1), (2, pv2)))
    if tpv.radial_terms(pv1) or tpv.radial_terms(pv2):
        if width is None or height is None:
            raise InputError("wcs: radial TPV terms need the size of the frame.", code="bad_wcs")

        def exact(x: Floats, y: Floats) -> tuple[Floats, Floats]:
            u, v = x - crpix[0], y - crpix[1]
            plane = matrix[0, 0] * u + matrix[0, 1] * v, matrix[1, 0] * u + matrix[1, 1] * v
            sums = [polynomial.evaluate(c, u, v) + tpv.radial(pv, *plane) for c, pv in ((xi, pv1), (eta, pv2))]
            return sphere.deproject(sums[0], sums[1], *crval)

        return approximate(exact, width, height, crval, ((width - 1) / 2.0, (height - 1) / 2.0), max(order, 7))
    back = np.linalg.inv(np.array([[xi[1, 0], xi[0, 1]], [eta[1, 0], eta[0, 1]]]))
    a, b = back[0, 0] * xi + back[0, 1] * eta, back[1, 0] * xi + back[1, 1] * eta
    start = -np.array([[a[0, 0]], [b[0, 0]]])
    a[0, 0] = b[0, 0] = a[1, 0] = b[0, 1] = a[0, 1] = b[1, 0] = 0.0
    ((u0,), (v0,)) = inverse.solve(a, b, start)
    if not np.isfinite(u0 + v0):
        raise InputError("wcs: the TPV polynomials vanish at no pixel.", code="bad_wcs")
    xi, eta = polynomial.shift(xi, u0, v0), polynomial.shift(eta, u0, v0)
    return _from_plane(xi, eta, crval, (crpix[0] + u0, crpix[1] + v0))


def _from_plane(xi: Floats, eta: Floats, crval: tuple[float, float], crpix: tuple[float, float]) -> Wcs:
    """WCS of plane polynomials in (u, v) = (x, y) - crpix whose constant terms are zero."""
    cd = np.array([[xi[1, 0], xi[0, 1]], [eta[1, 0], eta[0, 1]]])
    back = np.linalg.inv(cd)
    a, b = back[0, 0] * xi + back[0, 1] * eta, back[1, 0] * xi + back[1, 1] * eta
    for c in (a, b):
        c[0, 0] = c[1, 0] = c[0, 1] = 0.0
    if len(a) == 2:
        a, b = _zero(), _zero()
    return Wcs(crval, crpix, cd, a, b)
