"""The joint solution as rows of the database (structured arrays named like the columns)."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from hscdb.mosaic import ccdterms
from hscdb.mosaic.geometry import Plane
from hscdb.mosaic.judge import Verdict
from hscdb.mosaic.model import Astrometry, Bools, Floats, Flux, Ints, Observations, References
from hscdb.mosaic.solve import Result
from hscdb.sky import sphere

Rows = npt.NDArray[np.void]

_N_ROWS = 200_000  # of 30 MB: millions at once would hold more than the solution itself
_RESIDUAL = np.dtype([
    ("run_id", "i8"), ("task_id", "i8"), ("star_id", "i8"), ("visit", "i8"), ("ccd", "i4"), ("source_id", "i8"),
    ("u_pix", "f4"), ("v_pix", "f4"), ("ra", "f8"), ("dec", "f8"), ("mag", "f8"), ("mag_err", "f4"),
    ("position_mas_err", "f4"), ("ra_before_mas", "f4"), ("dec_before_mas", "f4"), ("mag_before_mmag", "f4"),
    ("ra_after_mas", "f4"), ("dec_after_mas", "f4"), ("mag_after_mmag", "f4"), ("is_used_astrometry", "?"),
    ("is_used_photometry", "?"), ("reason_astrometry", "S16"), ("reason_photometry", "S16"), ("is_reserved", "?"),
])  # fmt: skip
NO_REASON: dict[str, int | bytes] = {"reason_astrometry": b"", "reason_photometry": b""}  # what stands for NULL


def build(n: int, **columns: Any) -> Rows:
    """Structured array of n rows; scalars are repeated, lists and nested arrays become object columns."""
    arrays = {}
    for name, column in columns.items():
        if isinstance(column, list) or (isinstance(column, np.ndarray) and column.ndim > 1):
            cells = np.empty(n, object)
            for i in range(n):
                cells[i] = column[i].tolist() if isinstance(column[i], np.ndarray) else column[i]
            arrays[name] = cells
        elif isinstance(column, str | dict) or column is None:
            cells = np.empty(n, object)
            cells[:] = [column] * n
            arrays[name] = cells
        else:
            arrays[name] = np.broadcast_to(np.asarray(column), (n,))
    out = np.empty(n, [(name, a.dtype) for name, a in arrays.items()])
    for name, a in arrays.items():
        out[name] = a
    return out


def _rms(star: Ints, group: Ints, residual: Floats, used: Bools, n_star: int, n_group: int) -> Floats:
    """(n_group,) rms of residuals with the degree of freedom of the star's mean put back; NaN without any."""
    n = np.bincount(star[used], minlength=n_star)
    good = used & (n[star] >= 2) & np.isfinite(residual)
    full = residual[good] ** 2 * n[star[good]] / (n[star[good]] - 1.0)
    count = np.bincount(group[good], minlength=n_group)
    total = np.bincount(group[good], full, n_group)
    return np.where(count > 0, np.sqrt(total / np.maximum(count, 1)), np.nan)


def visits(key: dict[str, int], where: Plane, obs: Observations, position: Astrometry, flux: Flux) -> Rows:
    """Rows of mosaic_visit."""
    n, n_star = obs.visits.size, obs.stars.size
    east, north = (_rms(obs.star, obs.visit, position.residual[:, i], position.is_used, n_star, n) for i in range(2))
    has_err = len(position.coefficients_err) > 0
    return build(
        n, **key, visit=obs.visits, crval1_deg=position.crval[:, 0], crval2_deg=position.crval[:, 1],
        origin_x_pix=where.origin[0], origin_y_pix=where.origin[1], field_scale_pix=where.scale_pix,
        astrometry_order=position.order, xi_deg=position.coefficients[:, 0], eta_deg=position.coefficients[:, 1],
        xi_deg_err=position.coefficients_err[:, 0] if has_err else None,
        eta_deg_err=position.coefficients_err[:, 1] if has_err else None,
        zero_point_mag=flux.zero, zero_point_mag_err=flux.zero_err, flux_scale_pix=where.flux_scale_pix,
        photometry_order=flux.order, poly_mag=flux.coefficients,
        n_obs=np.bincount(obs.visit[position.is_used], minlength=n), rms_ra_mas=east, rms_dec_mas=north,
        rms_mag=_rms(obs.star, obs.visit, flux.residual, flux.is_used, n_star, n),
    )  # fmt: skip


def ccds(key: dict[str, int], obs: Observations, position: Astrometry, flux: Flux) -> Rows:
    """Rows of mosaic_ccd."""
    terms, err = position.ccd_terms, position.ccd_terms_err
    epoch = np.zeros(obs.ccds.size, np.int64) if obs.ccd_epochs is None else obs.ccd_epochs
    order = next(d for d in range(terms.shape[1]) if ccdterms.n_terms(d) == terms.shape[1])
    return build(
        obs.ccds.size, **key, ccd=obs.ccds, epoch=epoch, map_order=order, map_pix=terms[:, ccdterms.N_RIGID :],
        shift_u_pix=terms[:, 0], shift_v_pix=terms[:, 1], turn_rad=terms[:, 2], shift_u_pix_err=err[:, 0],
        shift_v_pix_err=err[:, 1], turn_rad_err=err[:, 2], scale_mag=flux.ccd, scale_mag_err=flux.ccd_err,
        n_obs=np.bincount(obs.ccd[position.is_used], minlength=obs.ccds.size),
    )  # fmt: skip


def stars(key: dict[str, int], obs: Observations, refs: References, position: Astrometry, flux: Flux) -> Rows:
    """Rows of star_solution."""
    n = obs.stars.size
    ra, dec = sphere.from_vector(position.star)
    has = np.isfinite(position.star_covariance[:, 0])
    reserved = np.zeros(n, bool)
    reserved[obs.star[obs.is_reserved]] = True
    motion = np.full((n, 4), np.nan) if position.motion is None else position.motion
    return build(
        n, **key, star_id=obs.stars, ra=np.where(has, ra, np.nan), dec=np.where(has, dec, np.nan),
        ra_mas_err=np.sqrt(position.star_covariance[:, 0]), dec_mas_err=np.sqrt(position.star_covariance[:, 2]),
        mag=flux.star, mag_err=flux.star_err, ref_mag=refs.mag, ref_mag_err=refs.mag_err,
        n_obs=np.bincount(obs.star, minlength=n).astype(np.int16), is_reserved=reserved, pm_ra_mas_yr=motion[:, 0],
        pm_dec_mas_yr=motion[:, 1], pm_ra_mas_yr_err=motion[:, 2], pm_dec_mas_yr_err=motion[:, 3],
    )  # fmt: skip


def residuals(key: dict[str, int], source_id: Ints, obs: Observations, result: Result) -> Iterator[Rows]:
    """Rows of star_residual, _N_ROWS at a time, in the order of the observations; source_id (n_obs,).

    Fields have the types of the columns, so that they are sent as they lie; an empty reason stands for NULL.
    """
    geometry, position, flux, first = result.places, result.position, result.scale, result.first
    for begin in range(0, obs.star.size, _N_ROWS):
        k = slice(begin, begin + _N_ROWS)
        star = obs.star[k]
        out = np.empty(star.size, _RESIDUAL)
        out["run_id"], out["task_id"] = key["run_id"], key["task_id"]
        out["star_id"], out["source_id"] = obs.stars[star], source_id[k]
        out["visit"], out["ccd"] = obs.visits[obs.visit[k]], obs.ccds[obs.ccd[k]]
        out["u_pix"], out["v_pix"] = geometry.u[k], geometry.v[k]
        out["ra"], out["dec"] = _places(position.star[star], position.residual[k] + result.motion[k])
        out["mag"], out["mag_err"] = flux.star[star] + flux.residual[k], obs.mag_err[k]
        out["position_mas_err"] = result.place_err[k]
        for when, place, mag in (("before", first.position, first.mag), ("after", position.residual, flux.residual)):
            out[f"ra_{when}_mas"], out[f"dec_{when}_mas"] = place[k].T
            out[f"mag_{when}_mmag"] = 1000.0 * mag[k]
        out["is_used_astrometry"], out["is_used_photometry"] = position.is_used[k], flux.is_used[k]
        out["reason_astrometry"], out["reason_photometry"] = position.reason[k], flux.reason[k]
        out["is_reserved"] = obs.is_reserved[k]
        yield out


def _places(s: Floats, off: Floats) -> tuple[Floats, Floats]:
    """(ra, dec) [deg] of detections by the joint solution: star (n, 3), and residual plus motion (n, 2) [mas]."""
    east = np.stack([-s[:, 1], s[:, 0], np.zeros(len(s))], axis=1)
    length = np.linalg.norm(east, axis=1, keepdims=True)
    east = np.where(length > 1e-12, east / np.maximum(length, 1e-12), np.array([0.0, 1.0, 0.0]))
    mas = np.pi / (180.0 * 3600.0 * 1000.0)
    return sphere.from_vector(s + (off[:, :1] * east + off[:, 1:] * np.cross(s, east)) * mas)


def summary(
    key: dict[str, int],
    tract: int,
    filter: str,
    obs: Observations,
    position: Astrometry,
    flux: Flux,
    verdict: Verdict,
    left_out: dict[str, str],
) -> Rows:
    """The row of mosaic_solution; left_out: {visit: reason} of visits that took no part."""
    notes = {
        "astrometry": position.notes, "photometry": flux.notes, "left_out_visits": left_out,
        "judged_by": verdict.judged_by, "n_judge": verdict.n_judge,
        "position_rms_before_mas": _number(verdict.position_before),
        "position_rms_after_mas": _number(verdict.position_after),
        "mag_rms_before_mmag": _number(1000 * verdict.mag_before),
        "mag_rms_after_mmag": _number(1000 * verdict.mag_after),
        "position_variance_change": [_number(one) for one in verdict.position_excess],
        "mag_variance_change": [_number(one) for one in verdict.mag_excess],
        "is_position_accepted": verdict.is_position_better, "is_magnitude_accepted": verdict.is_mag_better,
    }  # fmt: skip
    fitted = np.zeros(obs.stars.size, bool)
    fitted[obs.star[position.is_used]] = True
    return build(
        1, **key, tract=tract, filter=filter, is_accepted=verdict.is_position_better and verdict.is_mag_better,
        n_visit=obs.visits.size, n_ccd=np.unique(obs.ccds).size, n_star=int(fitted.sum()), n_ref=position.n_ref,
        n_obs=int(position.is_used.sum()), n_astrometry_parameter=position.n_parameter,
        n_photometry_parameter=flux.n_parameter, astrometry_order=position.order, photometry_order=flux.order,
        n_astrometry_iteration=position.n_iteration, n_photometry_iteration=flux.n_iteration,
        astrometry_chi2=position.chi2, astrometry_dof=position.dof, photometry_chi2=flux.chi2, photometry_dof=flux.dof,
        position_floor_mas=position.floor_mas, magnitude_floor_mag=flux.floor_mag, model=notes,
    )  # fmt: skip


def _number(x: float) -> float | None:
    """JSON has no NaN."""
    return round(float(x), 4) if np.isfinite(x) else None
