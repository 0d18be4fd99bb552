"""What the joint fits are given and what they return: plain frozen arrays, sorted by star."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Observations:
    """Detections of stars, sorted by star; n_obs of each unless said otherwise.

    star, visit, ccd : indices into `stars`, `visits`, `ccds`.
    x, y             : pixels on the CCD, 0-based.
    covariance       : (n_obs, 3) of x, y: xx, xy, yy [pix^2], without error floor.
    ra, dec          : [deg] by the first calibration.
    mag, mag_err     : instrumental magnitude -2.5 log10(e-) and its one sigma; NaN where the flux is not usable.
    is_reserved      : of a reserved star; never in a fit.
    reason           : why an observation may not enter a fit ("" = it may).
    ccd_epochs       : (n_ccd,) epoch of the camera of each of `ccds`, where a CCD is there once per epoch;
    visit_epochs     : (n_visit,) epoch of each visit. None: one epoch.
    """

    stars: Ints
    visits: Ints
    ccds: Ints
    star: Ints
    visit: Ints
    ccd: Ints
    x: Floats
    y: Floats
    covariance: Floats
    ra: Floats
    dec: Floats
    mag: Floats
    mag_err: Floats
    is_reserved: Bools
    reason: npt.NDArray[np.object_]
    ccd_epochs: Ints | None = None
    visit_epochs: Ints | None = None

    def ccd_of(self, visit: int, number: int) -> int:
        """Index of a CCD, by its number, as it is in a visit (index)."""
        mine = self.ccds == number
        if self.ccd_epochs is not None and self.visit_epochs is not None:
            mine = mine & (self.ccd_epochs == self.visit_epochs[visit])
        return int(np.flatnonzero(mine)[0])

    @property
    def start(self) -> Ints:
        """(n_star + 1,) first observation of each star."""
        return np.searchsorted(self.star, np.arange(self.stars.size + 1)).astype(np.int64)


@dataclass(frozen=True)
class References:
    """Reference of each star, (n_star,) arrays with NaN where there is none.

    ra, dec [deg] at `epoch_mjd`; covariance (n_star, 3) [mas^2] of east, north; pm (n_star, 2) [mas/yr] and
    parallax [mas], zero if not known; mag, mag_err in the filter's system, color term applied; color: of the
    catalog's bands [mag], NaN where it is not known, None: of no star.
    """

    ra: Floats
    dec: Floats
    epoch_mjd: Floats
    covariance: Floats
    pm: Floats
    mag: Floats
    mag_err: Floats
    parallax: Floats
    color: Floats | None = None


@dataclass(frozen=True)
class Geometry:
    """Places of the observations in the focal plane, from the camera description.

    u, v       : (n_obs,) [pix]; field_x, field_y: (n_obs,)
                 field angle / pixel scale minus the origin [pix]: the distortion is taken off.
    jacobian   : (n_obs, 2, 2) d(field)/d(u, v).
    lever      : (n_obs, 2) place relative to the CCD's centre [pix].
    scale_pix  : field distance that maps to 1 in the Chebyshev bases of positions; flux_scale_pix: distance from the
                 optical centre, along u or v, that does in those of fluxes.
    arcsec     : pixel scale [arcsec/pix].
    """

    u: Floats
    v: Floats
    field_x: Floats
    field_y: Floats
    jacobian: Floats
    lever: Floats
    scale_pix: float
    arcsec: float
    flux_scale_pix: float


@dataclass(frozen=True)
class Anchors:
    """Points of the frames by their first calibrations, stars or not: where a visit's polynomial begins.

    visit : (n,) index; field_x, field_y (n,) as in Geometry; ra, dec (n,) [deg].
    """

    visit: Ints
    field_x: Floats
    field_y: Floats
    ra: Floats
    dec: Floats


@dataclass(frozen=True)
class Turbulence:
    """A field of each frame, taken off the place by the visit's polynomial; see turbulence.py.

    half          : (n_ccd, 2) half sizes of the CCDs along u and v [pix], which map to 1 in the Chebyshev basis.
    coefficients  : (n_visit, n_ccd, 2, n_terms) of xi, eta [deg].
    amplitude_mas : (n_visit,) one sigma of the process per axis; length_pix its scale; noise_mas: noise beyond the
                    given; curl: its share that is no gradient.
    """

    half: Floats
    coefficients: Floats
    amplitude_mas: Floats
    length_pix: float
    noise_mas: float
    curl: float = 0.0


@dataclass(frozen=True)
class Astrometry:
    """Solution of the astrometric fit.

    crval           : (n_visit, 2) tangent points [deg].
    coefficients    : (n_visit, 2, n_terms) of xi, eta [deg].
    order           : of the basis; visit_order (n_visit,): order that each visit's stars support.
    ccd_terms, _err : (n_ccd, n) shift u, v [pix], turn [rad] and the further terms of ccdterms.py.
    star            : (n_star, 3) unit vectors; star_covariance (n_star, 3) [mas^2] of east, north.
    residual        : (n_obs, 2) detection minus star, east and north [mas], for every observation.
    plane_residual  : (n_obs, 2) the same along xi and eta [mas]; given_variance (n_obs,) per axis, without floor.
    is_used, reason : of every observation.
    floor_mas       : error floor per axis that makes the residuals of the fit consistent.
    motion          : (n_star, 4) solved proper motions, east, north and errors [mas/yr], NaN where there is none;
                      None: not asked for.
    ridge           : inverse prior variances of the unknowns, as learned.
    turbulence      : field taken off the polynomials, if any.
    error_scale     : factor on the given one sigmas; floors (n_visit,) beside it [mas].
    ref_weight      : (n_star, 3) inverse covariance of the references that were used, floor included [mas^-2].
    coefficients_err: (n_visit, 2, n_terms) one sigma [deg], of no rows where it was not asked for (spread.py).
    place_err       : (n_visit, n_ccd, 9) one sigma per axis [mas] of predicted places (placeerrors.py), or of no rows.
    """

    crval: Floats
    coefficients: Floats
    order: int
    visit_order: Ints
    ccd_terms: Floats
    ccd_terms_err: Floats
    star: Floats
    star_covariance: Floats
    residual: Floats
    plane_residual: Floats
    given_variance: Floats
    is_used: Bools
    reason: npt.NDArray[np.object_]
    floor_mas: float
    ridge: Floats
    chi2: float
    dof: int
    n_parameter: int
    n_iteration: int
    n_ref: int
    notes: dict[str, object] = field(default_factory=dict)
    turbulence: Turbulence | None = None
    motion: Floats | None = None
    error_scale: float = 1.0
    floors: Floats = field(default_factory=lambda: np.empty(0))
    ref_weight: Floats = field(default_factory=lambda: np.empty((0, 3)))
    coefficients_err: Floats = field(default_factory=lambda: np.empty((0, 2, 0)))
    place_err: Floats = field(default_factory=lambda: np.empty((0, 0, 0)))


@dataclass(frozen=True)
class Flux:
    """Solution of the photometric fit: mag = mag_inst - 2.5 log10(J) + zero + ccd + P(u, v).

    zero, zero_err : (n_visit,) [mag] at the optical centre, NaN without any usable flux.
    ccd, ccd_err   : (n_ccd,) [mag], weighted mean 0.
    coefficients   : (n_visit, n_terms(order)) Chebyshev coefficients of P in u/scale, v/scale; P(0, 0) = 0.
    star, star_err : (n_star,) [mag], NaN if not observed; residual (n_obs,) [mag] detection minus star.
    frame, frame_err : (n_visit, n_ccd) offset of each frame in place of its CCD's, and the error of zero + frame.
    growth : (n_visit, n_ccd) what is added for the frame's seeing, None: nothing.
    """

    zero: Floats
    zero_err: Floats
    ccd: Floats
    ccd_err: Floats
    coefficients: Floats
    order: int
    star: Floats
    star_err: Floats
    residual: Floats
    is_used: Bools
    reason: npt.NDArray[np.object_]
    floor_mag: float
    chi2: float
    dof: int
    n_parameter: int
    n_iteration: int
    n_ref: int
    notes: dict[str, object] = field(default_factory=dict)
    frame: Floats | None = None
    frame_err: Floats | None = None
    growth: Floats | None = None

    def scale(self, visit: int, ccd: int) -> tuple[float, float]:
        """Zero point of a frame at the optical centre and its one sigma [mag], by indices."""
        zero = float(self.zero[visit]) + (0.0 if self.growth is None else float(self.growth[visit, ccd]))
        if self.frame is not None and self.frame_err is not None:
            return zero + float(self.frame[visit, ccd]), float(self.frame_err[visit, ccd])
        return zero + float(self.ccd[ccd]), float(np.hypot(self.zero_err[visit], self.ccd_err[ccd]))
