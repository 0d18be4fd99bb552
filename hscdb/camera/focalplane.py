"""Pixels of a CCD <-> focal plane <-> field angle <-> sky: the geometry of the whole camera.

    pixel       (x, y)      0-based pixel centres of the trimmed image, after the flip on read
    focal plane (u, v)      pixels of nominal size, origin at the boresight
    field angle (X, Y)      arcsec, tangent plane at the boresight, axes of the focal plane: the optics' distortion
    plane       (xi, eta)   degrees, tangent plane at the boresight, axes east and north: the camera's turn on the sky

This is the only home of the quarter turns: a CCD's yaw holds them.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hscdb.camera.model import Camera, Ccd
from hscdb.errors import DataError
from hscdb.sky import sphere
from hscdb.sky.polynomial import grid
from hscdb.sky.wcs import Wcs

Floats = NDArray[np.float64]

# Order of the TAN-SIP that stands for the exact chain on one CCD: on HSC 5 leaves 0.1 mas at worst, 4 leaves 1.4 mas.
SIP_ORDER = 5


def pixel_to_focal(ccd: Ccd, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
    """Focal-plane (u, v) of pixels."""
    c, s = _turn(ccd.yaw_deg)
    dx, dy = np.subtract(x, ccd.center_x_pix, dtype=np.float64), np.subtract(y, ccd.center_y_pix, dtype=np.float64)
    return ccd.u_pix + c * dx - s * dy, ccd.v_pix + s * dx + c * dy


def focal_to_pixel(ccd: Ccd, u: ArrayLike, v: ArrayLike) -> tuple[Floats, Floats]:
    """Pixels (x, y) of focal-plane places, also outside of the CCD."""
    c, s = _turn(ccd.yaw_deg)
    du, dv = np.subtract(u, ccd.u_pix, dtype=np.float64), np.subtract(v, ccd.v_pix, dtype=np.float64)
    return ccd.center_x_pix + c * du + s * dv, ccd.center_y_pix - s * du + c * dv


def focal_to_field(camera: Camera, u: ArrayLike, v: ArrayLike) -> tuple[Floats, Floats]:
    """Field angles (X, Y) [arcsec]: pixel scale times the distortion polynomial, or times (u, v) without one."""
    u, v = np.asarray(u, dtype=np.float64), np.asarray(v, dtype=np.float64)
    scale = camera.pixel_scale_arcsec
    if camera.distortion is None:
        return scale * u, scale * v
    cx, cy = _matrices(camera)
    polyval = np.polynomial.polynomial.polyval2d
    return scale * polyval(u, v, cx), scale * polyval(u, v, cy)


def field_to_focal(camera: Camera, x_arcsec: ArrayLike, y_arcsec: ArrayLike) -> tuple[Floats, Floats]:
    """Focal-plane (u, v) of field angles: Newton's iteration to 1e-7 pix.

    DataError `no_convergence` for an angle that no place of the focal plane has (far outside of the field).
    """
    scale = camera.pixel_scale_arcsec
    goal_x, goal_y = np.asarray(x_arcsec, dtype=np.float64) / scale, np.asarray(y_arcsec, dtype=np.float64) / scale
    if camera.distortion is None:
        return goal_x, goal_y
    cx, cy = _matrices(camera)
    polyder, polyval = np.polynomial.polynomial.polyder, np.polynomial.polynomial.polyval2d
    gradient = [polyder(c, axis=axis) for c in (cx, cy) for axis in (0, 1)]
    u, v = goal_x, goal_y
    for _ in range(20):
        off_x, off_y = polyval(u, v, cx) - goal_x, polyval(u, v, cy) - goal_y
        xu, xv, yu, yv = (polyval(u, v, c) for c in gradient)
        det = xu * yv - xv * yu
        du, dv = (yv * off_x - xv * off_y) / det, (xu * off_y - yu * off_x) / det
        u, v = u - du, v - dv
        if max(np.abs(du).max(initial=0.0), np.abs(dv).max(initial=0.0)) < 1e-7:
            return u, v
    raise DataError(
        f"camera {camera.name}: field angles up to {np.hypot(x_arcsec, y_arcsec).max():.0f} arcsec "
        "are outside of the distortion model. Leave out what lies so far off.",
        "no_convergence",
    )


def pixel_to_sky(
    camera: Camera, ccd: Ccd, ra: float, dec: float, rotator_deg: float, x: ArrayLike, y: ArrayLike
) -> tuple[Floats, Floats]:
    """(ra, dec) [deg] of pixels by the exact chain, for a boresight (ra, dec) [deg] and a rotator angle [deg]."""
    field_x, field_y = focal_to_field(camera, *pixel_to_focal(ccd, x, y))
    (a, b), (c, d) = orientation(camera, rotator_deg)
    return sphere.deproject((a * field_x + b * field_y) / 3600.0, (c * field_x + d * field_y) / 3600.0, ra, dec)


def sky_to_pixel(
    camera: Camera, ccd: Ccd, ra: float, dec: float, rotator_deg: float, star_ra: ArrayLike, star_dec: ArrayLike
) -> tuple[Floats, Floats]:
    """Pixels of directions (star_ra, star_dec) [deg]: the inverse of `pixel_to_sky`."""
    xi, eta = sphere.project(star_ra, star_dec, ra, dec)
    (a, b), (c, d) = np.linalg.inv(orientation(camera, rotator_deg))
    field = 3600.0 * (a * xi + b * eta), 3600.0 * (c * xi + d * eta)
    return focal_to_pixel(ccd, *field_to_focal(camera, *field))


def orientation(camera: Camera, rotator_deg: float) -> Floats:
    """Matrix (2, 2) from field angle (X, Y) to (xi, eta).

    theta = rotation_deg + rotator_sign * rotator_deg; [[cos p, sin], [-sin p, cos]] with the parity p of the section
    [orientation]; without one, north is up and east left (theta = 0, p = -1).
    """
    section = camera.settings.get("orientation", {})
    c, s = _turn(section.get("rotation_deg", 0.0) + section.get("rotator_sign", -1) * rotator_deg)
    parity = section.get("parity", -1)
    return np.array([[c * parity, s], [-s * parity, c]])


def initial_wcs(camera: Camera, ccd: Ccd, ra: float, dec: float, rotator_deg: float, order: int = SIP_ORDER) -> Wcs:
    """The TAN-SIP of one CCD by geometry alone, for a boresight (ra, dec) [deg] and a rotator angle [deg].

    The tangent point is the CCD's centre, where the polynomials are shortest; within 0.1 mas of `pixel_to_sky` on HSC.
    """
    x, y = grid(ccd.width, ccd.height, order)
    crpix = ((ccd.width - 1) / 2.0, (ccd.height - 1) / 2.0)
    center_ra, center_dec = pixel_to_sky(camera, ccd, ra, dec, rotator_deg, *crpix)
    crval = (float(center_ra), float(center_dec))
    plane = sphere.project(*pixel_to_sky(camera, ccd, ra, dec, rotator_deg, x, y), *crval)
    # In units of the CCD's half width all powers are of one size; without a constant, crpix keeps its crval.
    half = max(crpix)
    p, q = np.array([(p, n - p) for n in range(1, order + 1) for p in range(n + 1)]).T
    matrix = ((x - crpix[0]) / half)[:, None] ** p * ((y - crpix[1]) / half)[:, None] ** q
    solution = np.linalg.lstsq(matrix, np.stack(plane, axis=1), rcond=None)[0] / half ** (p + q)[:, None]
    cd = np.array([solution[(p == 1) & (q == 0)][0], solution[(p == 0) & (q == 1)][0]]).T
    sip = np.zeros((2, order + 1, order + 1))
    sip[:, p, q] = np.linalg.solve(cd, solution.T)
    sip[:, 1, 0] = sip[:, 0, 1] = 0.0
    return Wcs(crval, crpix, cd, sip[0], sip[1])


def _turn(angle_deg: float) -> tuple[float, float]:
    angle = np.radians(angle_deg)
    return float(np.cos(angle)), float(np.sin(angle))


def _matrices(camera: Camera) -> tuple[Floats, Floats]:
    """Coefficients of the distortion at [nx, ny]."""
    nx, ny, cx, cy = camera.distortion
    matrices = np.zeros((2, max(nx) + 1, max(ny) + 1))
    matrices[0][nx, ny], matrices[1][nx, ny] = cx, cy
    return matrices[0], matrices[1]
