"""From CCD pixels to the arguments of the fits: places in the focal plane and their derivatives."""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from hscdb.camera import focalplane
from hscdb.camera.model import Camera, Ccd
from hscdb.mosaic import basis, ccdterms, robust
from hscdb.mosaic.model import Anchors, Floats, Geometry, Ints

_N_GRID, _SLOPE_ORDER = 12, 8
_BEND_MAS = 0.002  # that a CCD's corner may be off the tangent of the distortion


@dataclass(frozen=True)
class Plane:
    """The part of the focal plane in use: origin and half size of the Chebyshev square [pix], see model.Geometry."""

    camera: Camera
    origin: tuple[float, float]
    scale_pix: float
    flux_scale_pix: float


def plane(camera: Camera, ccds: Ints) -> Plane:
    """The square around the corners of some CCDs.

    Where the camera has a distortion model the origin is its optical centre; else the middle of the CCDs, so that one
    crop far off the axis still fills its square and the polynomials stay well conditioned.
    """
    corners = [_field(camera, camera.ccds[int(c)], *_corners(camera.ccds[int(c)])) for c in ccds]
    x, y = np.concatenate([c[0] for c in corners]), np.concatenate([c[1] for c in corners])
    focal = [focalplane.pixel_to_focal(camera.ccds[int(c)], *_corners(camera.ccds[int(c)])) for c in ccds]
    flux_scale = max(float(np.abs(np.concatenate([f[i] for f in focal])).max()) for i in range(2))
    if camera.distortion is not None:
        return Plane(camera, (0.0, 0.0), float(max(np.abs(x).max(), np.abs(y).max())), flux_scale)
    origin = (float(x.min() + x.max()) / 2.0, float(y.min() + y.max()) / 2.0)
    return Plane(camera, origin, float(max(np.ptp(x), np.ptp(y))) / 2.0, flux_scale)


def _corners(ccd: Ccd) -> tuple[Floats, Floats]:
    return np.array([0.0, 1.0, 1.0, 0.0]) * (ccd.width - 1), np.array([0.0, 0.0, 1.0, 1.0]) * (ccd.height - 1)


def _field(camera: Camera, ccd: Ccd, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Distortion-corrected place [pix]: field angle over pixel scale."""
    field_x, field_y = focalplane.focal_to_field(camera, *focalplane.pixel_to_focal(ccd, x, y))
    return field_x / camera.pixel_scale_arcsec, field_y / camera.pixel_scale_arcsec


def places(where: Plane, ccds: Ints, ccd: Ints, x: Floats, y: Floats) -> Geometry:
    """Geometry of observations: ccd (n_obs,) indexes `ccds`; x, y (n_obs,) pixels."""
    camera, n = where.camera, x.size
    u, v = np.empty(n), np.empty(n)
    lever = np.empty((n, 2))
    pieces = robust.members(ccd, ccds.size)
    for number, k in zip(ccds, pieces, strict=True):
        one = camera.ccds[int(number)]
        u[k], v[k] = focalplane.pixel_to_focal(one, x[k], y[k])
        lever[k, 0], lever[k, 1] = u[k] - one.u_pix, v[k] - one.v_pix
    scale = camera.pixel_scale_arcsec
    field_x, field_y = (a / scale for a in focalplane.focal_to_field(camera, u, v))
    jacobian = np.empty((n, 2, 2))
    for k in pieces:
        if k.size:
            jacobian[k] = _slopes(camera, u[k], v[k])
    return Geometry(
        u, v, field_x - where.origin[0], field_y - where.origin[1], jacobian, lever, where.scale_pix, scale,
        where.flux_scale_pix,
    )


def _is_bent(where: Plane, ccds: Ints, about: Floats, terms: Floats) -> bool:
    """Whether the distortion leaves its tangent by more than _BEND_MAS between two places of the CCDs (n_ccd, n)."""
    camera, worst = where.camera, 0.0
    for i, number in enumerate(ccds):
        one = camera.ccds[int(number)]
        u, v = focalplane.pixel_to_focal(one, *_corners(one))
        ends = [ccdterms.displacement(t[i], u - one.u_pix, v - one.v_pix) for t in (about, terms)]
        here, there = (focalplane.focal_to_field(camera, u + du, v + dv) for du, dv in ends)
        step = np.stack(ends[1], axis=1) - np.stack(ends[0], axis=1)
        slope = (_differences(camera, u + ends[0][0], v + ends[0][1]) @ step[..., None])[..., 0]
        miss = [there[axis] - here[axis] - camera.pixel_scale_arcsec * slope[:, axis] for axis in range(2)]
        worst = max(worst, 1000.0 * float(np.hypot(*miss).max()))
    return worst > _BEND_MAS


def displaced(
    where: Plane, ccds: Ints, ccd: Ints, near: Geometry, about: Floats, terms: Floats
) -> Geometry | None:
    """`near` with its distortion expanded about CCDs that are moved by terms (n_ccd, n).

    None: there is no need, if it is expanded about CCDs that are moved by `about`.
    field + jacobian (du, dv) is then the distortion at the moved place itself, and its tangent there. CCDs 5 pix off at
    the edge of HSC are 0.07 mas off the tangent at the described place.
    """
    if not _is_bent(where, ccds, about, terms):
        return None
    moved, jacobian = np.empty((2, ccd.size)), np.empty_like(near.jacobian)
    for i, k in enumerate(robust.members(ccd, ccds.size)):
        moved[:, k] = ccdterms.displacement(terms[i], near.lever[k, 0], near.lever[k, 1])
        if k.size:
            jacobian[k] = _slopes(where.camera, near.u[k] + moved[0, k], near.v[k] + moved[1, k])
    field = focalplane.focal_to_field(where.camera, near.u + moved[0], near.v + moved[1])
    x, y = (a / near.arcsec - o for a, o in zip(field, where.origin, strict=True))
    back = np.einsum("kij,jk->ik", jacobian, moved)
    return replace(near, field_x=x - back[0], field_y=y - back[1], jacobian=jacobian)


def _slopes(camera: Camera, u: Floats, v: Floats) -> Floats:
    """(n, 2, 2) d(field)/d(u, v), no unit, at places of one CCD.

    Of many places by a polynomial through a grid over them: the distortion of a ninth degree is smooth over a CCD (HSC,
    DECam: to 1e-10).
    """
    if u.size <= _N_GRID**2:
        return _differences(camera, u, v)
    middle, half = [np.mean([a.min(), a.max()]) for a in (u, v)], [max(np.ptp(a) / 2.0, 1.0) for a in (u, v)]
    x, y, to_terms = _grid()
    terms = to_terms @ _differences(camera, middle[0] + half[0] * x, middle[1] + half[1] * y).reshape(-1, 4)
    at = basis.matrix(_SLOPE_ORDER, (u - middle[0]) / half[0], (v - middle[1]) / half[1])
    return np.asarray((at @ terms).reshape(-1, 2, 2))


@cache
def _grid() -> tuple[Floats, Floats, Floats]:
    """Places x, y (n,) of the square [-1, 1]^2 and the matrix from what is known there to a polynomial's terms."""
    nodes = np.cos(np.pi * (np.arange(_N_GRID) + 0.5) / _N_GRID)
    x, y = (a.ravel() for a in np.meshgrid(nodes, nodes))
    return x, y, np.asarray(np.linalg.pinv(basis.matrix(_SLOPE_ORDER, x, y)), np.float64)


def _differences(camera: Camera, u: Floats, v: Floats) -> Floats:
    out = np.empty((u.size, 2, 2))
    step = 8.0  # pix; the distortion's third derivative there is < 1e-13 per pix^2, rounding 1e-12
    for axis, (du, dv) in enumerate(((step, 0.0), (0.0, step))):
        plus = focalplane.focal_to_field(camera, u + du, v + dv)
        minus = focalplane.focal_to_field(camera, u - du, v - dv)
        for i in range(2):
            out[:, i, axis] = (plus[i] - minus[i]) / (2.0 * step * camera.pixel_scale_arcsec)
    return out


def anchors(where: Plane, frames: Any, visits: Ints) -> Anchors:
    """Corners of the frames (rows of mosaic/read_frames; corner_ra, corner_dec at the pixels' edges)."""
    ccds, which = np.unique(frames["ccd"], return_inverse=True)
    places = np.empty((ccds.size, 2, 4))
    for i, number in enumerate(ccds):
        ccd = where.camera.ccds[int(number)]
        x0, y0, x1, y1 = -0.5, -0.5, ccd.width - 0.5, ccd.height - 0.5
        places[i] = _field(where.camera, ccd, np.array([x0, x1, x1, x0]), np.array([y0, y0, y1, y1]))
    x, y = (places[which, i].ravel() - where.origin[i] for i in range(2))
    ra, dec = (np.array(frames[name].tolist(), np.float64).ravel() for name in ("corner_ra", "corner_dec"))
    return Anchors(np.repeat(np.searchsorted(visits, frames["visit"]), 4).astype(np.int64), x, y, ra, dec)


def half_sizes(camera: Camera, ccds: Ints) -> Floats:
    """(n_ccd, 2) half sizes along u and v [pix]."""
    out = []
    for number in ccds:
        ccd = camera.ccds[int(number)]
        u, v = focalplane.pixel_to_focal(ccd, *_corners(ccd))
        out.append([np.abs(u - ccd.u_pix).max(), np.abs(v - ccd.v_pix).max()])
    return np.array(out).reshape(-1, 2)


def rotations(camera: Camera, ccds: Ints) -> Floats:
    """(n_ccd, 2, 2) matrices from CCD axes to the axes of the focal plane."""
    yaw = np.radians([camera.ccds[int(c)].yaw_deg for c in ccds])
    c, s = np.cos(yaw), np.sin(yaw)
    return np.stack([np.stack([c, -s], axis=1), np.stack([s, c], axis=1)], axis=1)
