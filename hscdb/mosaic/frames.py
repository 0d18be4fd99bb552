"""The joint solution frame by frame: TAN-SIP WCS and flux polynomial of one CCD of one visit."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from hscdb.camera import focalplane
from hscdb.camera.model import Ccd
from hscdb.mosaic import basis, ccdterms, linear
from hscdb.mosaic.geometry import Plane
from hscdb.mosaic.model import Astrometry, Floats, Flux, Geometry, Ints, Observations
from hscdb.sky import polynomial, sphere
from hscdb.sky.wcs import Wcs, through

_SIP_ORDERS = (5, 7, 9)  # 5 leaves 0.1 mas of HSC's 9th-order field over a CCD at its edge, 7 nothing
_SIP_MAS = 0.002  # that a WCS may be off the model
_STEP_PIX = 10.0
# Of the turbulence's polynomial over a CCD: reserved stars of simulated visits are 1 % worse with 5, the same with 9.
TURBULENCE_ORDER = 7


@dataclass(frozen=True)
class Sight:
    """Points of a CCD as its frames of all visits share them: places (n,) from its center [pix], and the terms of the
    visits' polynomials there (n, n_terms)."""

    du: Floats
    dv: Floats
    design: Floats


def sight(where: Plane, ccd: Ccd, terms: Floats, order: int, x: Floats, y: Floats) -> Sight:
    """Pixels (n,) of a CCD with terms (n_k,) for visits' polynomials of this order."""
    u, v = focalplane.pixel_to_focal(ccd, x, y)
    du, dv = u - ccd.u_pix, v - ccd.v_pix
    moved = ccdterms.displacement(terms, du, dv)
    angle = focalplane.focal_to_field(where.camera, u + moved[0], v + moved[1])
    scale = where.camera.pixel_scale_arcsec
    arguments = [(f / scale - o) / where.scale_pix for f, o in zip(angle, where.origin, strict=True)]
    return Sight(du, dv, basis.matrix(order, *arguments))


def to_sky(
    seen: Sight, crval: Floats, coefficients: Floats, field: tuple[Floats, Floats] | None = None
) -> tuple[Floats, Floats]:
    """(ra, dec) [deg] of a CCD's points by the joint model: coefficients (2, n_terms) of the visit.

    field : coefficients (2, n) and half sizes (2,) of the frame's turbulence.
    """
    xi, eta = seen.design @ coefficients[0], seen.design @ coefficients[1]
    if field is not None:
        off = evaluate(*field, seen.du, seen.dv)
        xi, eta = xi - off[:, 0], eta - off[:, 1]
    return sphere.deproject(xi, eta, float(crval[0]), float(crval[1]))


def wcs(
    solution: Astrometry, visit: int, ccd: Ccd, seen: Sight, field: tuple[Floats, Floats] | None, order: int
) -> Wcs:
    """TAN-SIP of one frame; visit is an index into the solution, seen the CCD's points of polynomial.grid."""
    ra, dec = to_sky(seen, solution.crval[visit], solution.coefficients[visit], field)
    middle = ra.size // 2, (ccd.width - 1) / 2.0, (ccd.height - 1) / 2.0
    crval = float(ra[middle[0]]), float(dec[middle[0]])
    return through(ra, dec, ccd.width, ccd.height, crval, middle[1:], order)


def _points(where: Plane, solution: Astrometry, visit: int, c: int, ccd: Ccd) -> tuple[Sight, int]:
    """Points of a CCD (index c) through which its frames' SIP polynomials go, and their order: the least that is within
    _SIP_MAS of the model in one of its visits, for it is the optics that ask for it.
    """
    field = turbulence(solution, visit, c)
    x, y = (a.ravel() for a in np.meshgrid(*(np.linspace(0.0, n - 1.0, 4) for n in (ccd.width, ccd.height))))
    known = solution.ccd_terms[c], solution.order
    exact = to_sky(sight(where, ccd, *known, x, y), solution.crval[visit], solution.coefficients[visit], field)
    for order in (each for each in _SIP_ORDERS if field is None or each >= TURBULENCE_ORDER):
        seen = sight(where, ccd, *known, *polynomial.grid(ccd.width, ccd.height, order))
        found = wcs(solution, visit, ccd, seen, field, order)
        if sphere.separation(*found.pixel_to_sky(x, y), *exact).max() * 3.6e6 <= _SIP_MAS:
            break
    return seen, order


def area_at_axis(where: Plane, solution: Astrometry, visit: int) -> float:
    """Pixel area [deg^2] at u = v = 0, the optical centre: where the Jacobian of the flux scale is 1.

    |d(ra cos dec, dec)/d(u, v)| by central differences on the visit's polynomial.
    """
    camera = where.camera
    ends = []
    for du, dv in ((_STEP_PIX, 0.0), (-_STEP_PIX, 0.0), (0.0, _STEP_PIX), (0.0, -_STEP_PIX)):
        field = focalplane.focal_to_field(camera, np.array([du]), np.array([dv]))
        x, y = ((f / camera.pixel_scale_arcsec - o) / where.scale_pix for f, o in zip(field, where.origin, strict=True))
        design = basis.matrix(solution.order, x, y)[0]
        xi, eta = np.radians(solution.coefficients[visit] @ design)
        ends.append(np.array([xi, eta, 1.0]) / np.sqrt(1.0 + xi * xi + eta * eta))
    area = np.linalg.norm(np.cross(ends[0] - ends[1], ends[2] - ends[3])) / (2.0 * _STEP_PIX) ** 2
    return float(area) * (180.0 / np.pi) ** 2


def turbulence(solution: Astrometry, visit: int, ccd: int) -> tuple[Floats, Floats] | None:
    """Coefficients and half sizes of one frame's turbulence, by indices; None without."""
    if solution.turbulence is None:
        return None
    return solution.turbulence.coefficients[visit, ccd], solution.turbulence.half[ccd]


def evaluate(coefficients: Floats, half: Floats, du: Floats, dv: Floats) -> Floats:
    """(n, 2) turbulence [deg] at places (du, dv) [pix] from the CCD's center; coefficients (2, n_terms), half (2,)."""
    return np.asarray(basis.matrix(TURBULENCE_ORDER, du / half[0], dv / half[1]) @ coefficients.T)


def by_frame(obs: Observations) -> dict[tuple[int, int], Ints]:
    """Observations of each frame: {(visit index, ccd index): indices}."""
    key = obs.visit * obs.ccds.size + obs.ccd
    order = np.argsort(key, kind="stable")
    keys, first = np.unique(key[order], return_index=True)
    parts = np.split(order, first[1:])
    return {divmod(int(k), obs.ccds.size): part for k, part in zip(keys, parts, strict=True)} if keys.size else {}


def jacobians(where: Plane, position: Astrometry, obs: Observations, places: Geometry, areas: Floats) -> Floats:
    """(n_obs,) pixel area over that at the optical centre of the visit, areas (n_visit,) [deg^2].

    |d(xi, eta)/d(u, v)| (1 + xi^2 + eta^2)^(-3/2), the latter for the tangent plane's slant to the sphere; the CCDs'
    shifts move the place where it is taken, their stretches and bends change the area.
    """
    field, half = np.empty((0, 0, 2, 0)), np.empty((0, 2))
    if position.turbulence is not None:
        field, half = position.turbulence.coefficients, position.turbulence.half
    out = np.empty(obs.x.size)
    linear.areas(
        position.order, obs.visit, obs.ccd, places.field_x, places.field_y, places.jacobian, places.lever,
        places.scale_pix, position.coefficients, position.ccd_terms, TURBULENCE_ORDER, field, half, out,
    )  # fmt: skip
    return np.asarray(out / areas[obs.visit])


@dataclass(frozen=True)
class FluxPolynomial:
    """P(x, y) = sum C_pq (x + x0)^p (y + y0)^q [mag], C flat in the stored order; P = 0 at the optical centre."""

    order: int
    poly_mag: Floats
    x0: float
    y0: float


def flux_polynomial(where: Plane, flux: Flux, visit: int, ccd: Ccd, is_rotated: bool = False) -> FluxPolynomial:
    """The visit's flux field in the pixels of one CCD.

    is_rotated : in the pixel frame turned by the CCD's quarter turns (origin at the lower left as seen in the focal
                 plane), which is the frame of hscPipe's fcr files; else in the pixels of the image.
    """
    angle = ccd.yaw_deg - (90.0 * ccd.n_quarter if is_rotated else 0.0)
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    center_x, center_y = ccd.center_x_pix, ccd.center_y_pix
    if is_rotated:
        center_x, center_y = rotated(ccd, center_x, center_y)
    x0 = c * ccd.u_pix + s * ccd.v_pix - center_x
    y0 = -s * ccd.u_pix + c * ccd.v_pix - center_y
    power = basis.powers(flux.order, flux.coefficients[visit], where.flux_scale_pix)
    return FluxPolynomial(flux.order, basis.flat(basis.turned(power, np.radians(angle))), float(x0), float(y0))


def rotated(ccd: Ccd, x: float, y: float) -> tuple[float, float]:
    """A pixel in the frame turned by the CCD's quarter turns (mosaic's frame)."""
    w, h = ccd.width, ccd.height
    return {0: (x, y), 1: (h - 1 - y, x), 2: (w - 1 - x, h - 1 - y), 3: (y, w - 1 - x)}[ccd.n_quarter % 4]


@dataclass(frozen=True)
class Solved:
    """The joint solution of one frame.

    status     : "solved" with enough detections of its own, else "extrapolated" from the visit and the camera model;
                 flux_status the same of the flux scale.
    mag0_e     : counts of a star of AB magnitude 0 at the optical centre, 1 / (fexp fchip); mag0_e_err its one sigma;
                 NaN where the visit has no zero point.
    polynomial : in the image's pixels; rotated: in mosaic's rotated pixels (fcr files).
    area_deg2  : pixel area where the Jacobian is 1.
    place_err  : (9,) of model.Astrometry, None: not asked for.
    """

    visit: int
    ccd: Ccd
    pointing: int
    status: str
    flux_status: str
    wcs: Wcs
    polynomial: FluxPolynomial
    rotated: FluxPolynomial
    mag0_e: float
    mag0_e_err: float
    visit_mag: float
    ccd_mag: float
    area_deg2: float
    n_star: int
    rms_mas: float
    n_star_flux: int
    rms_mag: float
    place_err: Floats | None


def solved(
    where: Plane, rows: Any, obs: Observations, position: Astrometry, flux: Flux, areas: Floats, n_solved: int
) -> list[Solved]:
    """The solution of each frame of `rows` (visit, ccd, pointing), in their order."""
    out: list[Solved] = []
    mine, none = by_frame(obs), np.zeros(0, np.int64)
    sights: dict[int, tuple[Sight, int]] = {}
    for row in rows:
        e = int(np.searchsorted(obs.visits, row["visit"]))
        c = obs.ccd_of(e, int(row["ccd"]))
        ccd = where.camera.ccds[int(row["ccd"])]
        if c not in sights:
            sights[c] = _points(where, position, e, c, ccd)
        seen = mine.get((e, c), none)
        k, kf = seen[position.is_used[seen]], seen[flux.is_used[seen]]
        zero, err = flux.scale(e, c)
        out.append(
            Solved(
                visit=int(row["visit"]), ccd=ccd, pointing=int(row["pointing"]),
                status="solved" if k.size >= n_solved else "extrapolated",
                flux_status="solved" if kf.size >= n_solved else "extrapolated",
                wcs=wcs(position, e, ccd, sights[c][0], turbulence(position, e, c), sights[c][1]),
                polynomial=flux_polynomial(where, flux, e, ccd), rotated=flux_polynomial(where, flux, e, ccd, True),
                mag0_e=float(10.0 ** (0.4 * zero)), mag0_e_err=float(10.0 ** (0.4 * zero) * 0.4 * np.log(10.0) * err),
                visit_mag=float(flux.zero[e]), ccd_mag=zero - float(flux.zero[e]), area_deg2=float(areas[e]),
                n_star=k.size, rms_mas=_rms(position.residual[k].ravel()), n_star_flux=kf.size,
                rms_mag=_rms(flux.residual[kf]),
                place_err=position.place_err[e, c] if position.place_err.size else None,
            )
        )  # fmt: skip
    return out


def _rms(x: Floats) -> float:
    return float(np.sqrt(np.mean(x**2))) if x.size else float("nan")
