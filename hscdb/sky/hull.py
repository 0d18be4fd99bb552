"""The convex hull of directions, and the circle hscPipe puts around it."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hscdb.errors import DataError
from hscdb.sky import sphere

Floats = NDArray[np.float64]


def convex_hull(ra: ArrayLike, dec: ArrayLike) -> Floats:
    """Vertices of the spherical convex hull as unit vectors (n, 3), counter-clockwise seen from outside.

    Great circles are straight lines in the tangent plane of the mean direction, so the hull is that of the plane
    (Andrew's monotone chain). DataError `not_hemispherical` if the directions do not fit into a hemisphere around
    their mean, `too_few_corners` if they span no area.
    """
    center = sphere.mean_position(ra, dec)
    xi, eta = sphere.project(np.ravel(ra), np.ravel(dec), *center)
    if not np.isfinite(xi + eta).all():
        raise DataError("skymap: the frames do not fit into a hemisphere. Select fewer.", code="not_hemispherical")
    points = sorted(set(zip(xi.tolist(), eta.tolist(), strict=True)))
    chain = _half(points)[:-1] + _half(points[::-1])[:-1]
    if len(chain) < 3:
        raise DataError(f"skymap: {len(points)} corners span no area.", code="too_few_corners")
    # East is to the left on the sky seen from inside, so counter-clockwise in (xi, eta) is it from outside as well.
    plane = np.array(chain)
    return sphere.unit_vector(*sphere.deproject(plane[:, 0], plane[:, 1], *center))


def _half(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The lower half of the hull of points in order."""
    chain: list[tuple[float, float]] = []
    for x, y in points:
        while len(chain) >= 2:
            (x0, y0), (x1, y1) = chain[-2:]
            # 1e-15 deg^2 is a millionth of a pixel: rounding must not make corners of points in a line.
            if (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) > 1e-15:
                break
            chain.pop()
        chain.append((x, y))
    return chain


def bounding_circle(ra: ArrayLike, dec: ArrayLike) -> tuple[float, float, float]:
    """(ra, dec, radius), degrees: the circle about the center of mass of the hull's area through its farthest vertex.

    This is what hscPipe takes (not the smallest circle): the center of mass is the sum over the edges of their length
    times the unit normal of their plane (Brock 1974, JPL TM 391-614, for triangles; it adds up for polygons).
    """
    vertex = convex_hull(ra, dec)
    following = np.roll(vertex, -1, axis=0)
    # (a + b) x (b - a) = 2 a x b, without the cancellation for close vertices.
    normal = np.cross(vertex + following, following - vertex) / 2.0
    sine = np.linalg.norm(normal, axis=1)
    angle = np.arctan2(sine, (vertex * following).sum(axis=1))
    mass = (normal * (angle / sine)[:, None]).sum(axis=0)
    center_ra, center_dec = sphere.from_vector(mass)
    distance = sphere.separation(center_ra, center_dec, *sphere.from_vector(vertex))
    return float(center_ra), float(center_dec), float(distance.max())
