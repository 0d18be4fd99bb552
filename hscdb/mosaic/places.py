"""Where detections and stars lie: the linearised observation equations of the astrometric fit (see astrometry.py)."""

from dataclasses import dataclass

import numpy as np

from hscdb.mosaic import basis, ccdterms, linear, motion, robust, tint
from hscdb.mosaic.model import Anchors, Floats, Geometry, Ints, Observations, References
from hscdb.sky import earth

MAS = 180.0 * 3600.0 * 1000.0 / np.pi  # mas per radian
_LOOSE_MAS = 200.0  # error of the stand-ins for references where there are none


@dataclass(frozen=True)
class Options:
    """Settings of the fit; see mosaic/stage.py for their meaning."""

    order: int = 5
    solve_ccd: bool = True
    ccd_order: int = 0
    n_iteration_max: int = 20
    clip_sigma: float = 5.0
    ref_floor_mas: float = 1.0
    floor_mas: float | None = None
    coefficient_prior_arcsec: float = 0.5
    ccd_prior_pix: float | None = None
    n_star_per_term: float = 2.0
    motion_prior_mas_yr: float = 0.0
    color_prior_mas: float = 0.0


def tangent(crval: Floats) -> tuple[Floats, Floats, Floats]:
    """Unit vectors (centre, east, north), each (n, 3), at (ra, dec) [deg] of shape (n, 2)."""
    ra, dec = np.radians(crval[:, 0]), np.radians(crval[:, 1])
    centre = np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=1)
    east = np.stack([-np.sin(ra), np.cos(ra), np.zeros_like(ra)], axis=1)
    return centre, east, np.cross(centre, east)


def _dot(a: Floats, b: Floats) -> Floats:
    return np.einsum("ij,ij->i", a, b)


def vectors(ra: Floats, dec: Floats) -> Floats:
    """(n, 3) unit vectors of positions [deg]."""
    return tangent(np.stack([ra, dec], axis=1))[0]


def start(
    obs: Observations, geometry: Geometry, crval: Floats, options: Options, visit_order: Ints, has_distortion: bool,
    anchors: Anchors | None,
) -> Floats:  # fmt: skip
    """First coefficients (n_visit, 2, n_terms) [deg]: each visit's polynomial through its first calibration.

    The corners of its frames (anchors) count like stars: a visit of two stars keeps its scale and turn by them, and
    a CCD without stars its place.

    Terms above the first order get a prior of 0.2 arcsec when the camera's distortion is known, else of 60 arcsec
    (DECam's distortion reaches 30 arcsec at the edge of its field), so that a visit with few CCDs stays sane; terms
    beyond the order that its stars support (visit_order) one of 0.02 arcsec.
    """
    terms = basis.n_terms(options.order)
    degree = basis.degrees(options.order)
    centre, east, north = tangent(crval)
    place, visit, x, y = vectors(obs.ra, obs.dec), obs.visit, geometry.field_x, geometry.field_y
    if anchors is not None:
        place = np.concatenate([place, vectors(anchors.ra, anchors.dec)])
        visit = np.concatenate([visit, anchors.visit])
        x, y = np.concatenate([x, anchors.field_x]), np.concatenate([y, anchors.field_y])
    out = np.zeros((obs.visits.size, 2, terms))
    for e, k in enumerate(robust.members(visit, obs.visits.size)):
        high = np.where(degree <= visit_order[e], 0.2, 0.02) if has_distortion else 60.0
        prior = np.where(degree <= 1, 3600.0, high) / 3600.0
        design = basis.matrix(options.order, x[k] / geometry.scale_pix, y[k] / geometry.scale_pix)
        depth = place[k] @ centre[e]
        wanted = np.degrees(np.stack([place[k] @ east[e], place[k] @ north[e]]) / depth)
        own = np.ones(k.size)
        stars = k < obs.x.size
        n_frame = np.bincount(obs.ccd[k[stars]], minlength=obs.ccds.size)
        if np.count_nonzero(n_frame) > 1:
            # what a frame's first WCS is off by, all its detections share: they count as much as its corners. Of one
            # frame alone they count each, so that the frame of all visits is that of the stars, not of the corners
            own[stars] = np.minimum(1.0, 4.0 / n_frame[obs.ccd[k[stars]]])
        weight = own
        for _ in range(4):
            normal = (design * weight[:, None]).T @ design / (0.05 / 3600.0) ** 2 + np.diag(prior**-2.0)
            out[e] = np.linalg.solve(normal, (design * weight[:, None]).T @ wanted.T / (0.05 / 3600.0) ** 2).T
            miss = np.hypot(*(wanted - out[e] @ design.T))
            sigma = 1.4826 * np.median(miss[weight > 0]) / 1.1774 if (weight > 0).any() else 0.0
            weight = own * (miss <= max(4.0 * sigma, 1e-3 / 3600.0))
    return out


class State:
    """The moving parts of the fit: coefficients, CCD places, star places. Used by `astrometry.fit` alone.

    x, y (n_obs,), offset (n_obs, 2), turn, plate (n_obs, 2, 2) are those of the last `linearize` (linear.py).
    """

    def __init__(
        self,
        obs: Observations,
        refs: References,
        geometry: Geometry,
        crval: Floats,
        epoch_mjd: Floats,
        coefficients: Floats,
        options: Options,
        field: Floats | None = None,
    ) -> None:
        self.field = np.empty((0, 2)) if field is None else np.ascontiguousarray(field)
        self.obs, self.refs, self.geometry, self.options = obs, refs, geometry, options
        self.plane = np.ascontiguousarray(np.stack(tangent(crval), axis=1))
        self.coefficients, self.epoch_mjd = coefficients, np.asarray(epoch_mjd, np.float64)
        self.ccd_terms = np.zeros((obs.ccds.size, ccdterms.n_terms(options.ccd_order)))
        self.start = obs.start
        self.has_ref = np.isfinite(refs.ra)
        self.has_true_ref = bool(self.has_ref.any())
        n, n_star = obs.x.size, obs.stars.size
        count = np.maximum(np.bincount(obs.star, minlength=n_star), 1)
        mean = np.stack([np.bincount(obs.star, a, n_star) / count for a in vectors(obs.ra, obs.dec).T], axis=1)
        self.star = mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-12)
        if not self.has_true_ref:
            # Each star's first mean place, with errors far above those of the detections, stands in for references:
            # it keeps the frame's shift, turn and scale and leaves the stars' places to each other free.
            ra, dec = np.degrees(np.arctan2(self.star[:, 1], self.star[:, 0])), np.degrees(np.arcsin(self.star[:, 2]))
            loose = np.tile([_LOOSE_MAS**2, 0.0, _LOOSE_MAS**2], (n_star, 1))
            none = np.zeros((n_star, 2))
            mean_mjd = np.full(n_star, float(np.mean(epoch_mjd)))
            self.refs = References(ra % 360.0, dec, mean_mjd, loose, none, refs.mag, refs.mag_err, none[:, 0])
            self.has_ref = np.ones(n_star, bool)
        self.star_epoch = motion.star_epochs(obs, refs, self.epoch_mjd)
        self.motions = None
        if motion.wanted(options.motion_prior_mas_yr, self.epoch_mjd):
            self.motions = motion.Motions(obs, refs, self.epoch_mjd, self.star_epoch, options.motion_prior_mas_yr)
        self.tint, color = None, tint.centered(refs.color)
        if options.color_prior_mas > 0.0 and color is not None:
            self.tint = tint.Tint(self.start, obs.visit, obs.visits.size, color[obs.star], options.color_prior_mas, 2)
            self.field = self.field if len(self.field) else np.zeros((n, 2))
        self.given_field = self.field
        self.pm, self.parallax = np.nan_to_num(self.refs.pm), np.nan_to_num(self.refs.parallax)
        self.earth = earth.place(self.epoch_mjd)
        self.x, self.y, self.offset = np.empty(n), np.empty(n), np.empty((n, 2))
        self.turn, self.plate = np.empty((n, 2, 2)), np.empty((n, 2, 2))

    def resume(self, coefficients: Floats, ccd_terms: Floats, star: Floats, motion: Floats | None = None) -> None:
        """Go on from an earlier solution, of the same stars or not; motion (n_star, 4) as in model.Astrometry."""
        self.coefficients, self.ccd_terms = coefficients.copy(), ccd_terms.copy()
        if star.shape == self.star.shape:
            self.star = star.copy()
            if motion is not None:
                self.pm = np.where(np.isfinite(motion[:, :2]), motion[:, :2], self.pm)

    def improve(self, weight: Floats, use: Floats, ref_weight: Floats, ref_offset: Floats) -> None:
        """What is solved in turn with the model: motions of stars and the visits' colors; offset goes along."""
        if self.motions is not None:
            self.motions.improve(self.pm, weight, use, self.offset, ref_weight, ref_offset)
        if self.tint is not None:
            columns = self.turn * self.tint.amount[:, None, None]
            scalar, ref_scalar = (0.5 * (w[:, 0] + w[:, 2]) for w in (weight, ref_weight))
            free = use * ~self.obs.is_reserved
            self.offset += self.tint.improve(columns, scalar * free, self.offset, ref_scalar, ref_offset)
            # the field is taken off xi and eta
            off = self.tint.value[self.obs.visit] * self.tint.amount[:, None]
            self.field = self.given_field - np.degrees(off / MAS)

    def taken(self) -> Floats | float:
        """Part of each detection's variance that its star's motion takes up."""
        return 0.0 if self.motions is None else self.motions.leverage

    def linearize(self) -> None:
        """Places and slopes at the present coefficients, CCD terms and stars."""
        obs, g = self.obs, self.geometry
        linear.linearize(
            self.options.order, obs.visit, obs.ccd, obs.star, g.field_x, g.field_y, g.jacobian, g.lever, g.scale_pix,
            self.coefficients, self.ccd_terms, self.field, self.plane, self.star, np.stack(self.local_axes(), axis=1),
            self.pm, self.parallax, self.star_epoch, self.epoch_mjd, self.earth, self.x, self.y, self.offset,
            self.turn, self.plate,
        )  # fmt: skip

    def local_axes(self) -> tuple[Floats, Floats]:
        """East and north unit vectors (n_star, 3) at the stars."""
        s = self.star
        east = np.stack([-s[:, 1], s[:, 0], np.zeros(s.shape[0])], axis=1)
        length = np.linalg.norm(east, axis=1, keepdims=True)
        east = np.where(length > 1e-12, east / np.maximum(length, 1e-12), np.array([0.0, 1.0, 0.0]))
        return east, np.cross(s, east)

    def covariance(self, rotation: Floats) -> Floats:
        """(n_obs, 3) covariance of the detections on the sky [mas^2]; rotation (n_ccd, 2, 2) CCD axes -> u, v."""
        out = np.empty((self.obs.x.size, 3))
        linear.covariance(self.plate, rotation, self.obs.ccd, self.obs.covariance, out)
        return out

    def move_stars(self, shift: Floats) -> None:
        """Shift the stars by (n_star, 2) east, north [mas]."""
        east, north = self.local_axes()
        moved = self.star + (shift[:, :1] * east + shift[:, 1:] * north) / MAS
        self.star = moved / np.linalg.norm(moved, axis=1, keepdims=True)

    def reference(self) -> tuple[Floats, Floats]:
        """ref_weight (n_star, 3) and ref_offset (n_star, 2) at the present star places."""
        n_star = self.obs.stars.size
        weight, offset = np.zeros((n_star, 3)), np.zeros((n_star, 2))
        i = np.flatnonzero(self.has_ref)
        east, north = self.local_axes()
        d = vectors(self.refs.ra[i], self.refs.dec[i]) - self.star[i]
        offset[i, 0], offset[i, 1] = _dot(d, east[i]) * MAS, _dot(d, north[i]) * MAS
        floor2 = self.options.ref_floor_mas**2
        weight[i] = inverse(self.refs.covariance[i] + np.array([floor2, 0.0, floor2]))
        return weight, offset

    def means(
        self, weight: Floats, use: Floats, ref_weight: Floats, ref_offset: Floats
    ) -> tuple[Floats, Floats]:
        """Best shift (n_star, 2) of each star [mas] and its covariance (n_star, 3); see linear.star_means."""
        shift, spread = np.empty((self.obs.stars.size, 2)), np.empty((self.obs.stars.size, 3))
        linear.star_means(self.start, weight, use, self.offset, ref_weight, ref_offset, shift, spread)
        return shift, spread


def inverse(c: Floats) -> Floats:
    """(n, 3) inverses 00, 01, 11 of symmetric 2 x 2 matrices (n, 3)."""
    det = c[:, 0] * c[:, 2] - c[:, 1] ** 2
    return np.stack([c[:, 2] / det, -c[:, 1] / det, c[:, 0] / det], axis=1)


def quadratic(r: Floats, w: Floats) -> Floats:
    """(n,) r^T W r for r (n, 2) and W (n, 3)."""
    return w[:, 0] * r[:, 0] ** 2 + 2 * w[:, 1] * r[:, 0] * r[:, 1] + w[:, 2] * r[:, 1] ** 2
