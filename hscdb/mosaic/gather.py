"""From the rows of the database to what the fits take: observations sorted by star, references by star."""

import numpy as np
import numpy.typing as npt

from hscdb.mosaic import prepare
from hscdb.mosaic.model import Floats, Ints, Observations, References

Rows = npt.NDArray[np.void]

AB_NJY = 2.5 * np.log10(3631e9)  # magnitude of one nJy; the usual 31.4 is 66 micromag off
_UNKNOWN_ERROR_PIX = 0.1  # of a detection without, among others: typical of a S/N 20 star in 0.7 arcsec seeing
_MOST_CCDS = 1000  # above any camera's numbers of CCDs
_NO_ERROR_PIX = 0.002  # of catalogs that give none: below all that is, so that the floor tells it from the residuals


def tasks(frames: Rows) -> dict[str, Rows]:
    """Rows of mosaic/read_frames as the parameters of mosaic/read_observations."""
    names = ("visit", "ccd", "sky_run_id", "sky_task_id", "source_run_id", "source_task_id")
    return {f"{name}s": frames[name] for name in names} | {"mag0s": frames["flux_mag0_e"]}


def by_star(rows: Rows) -> Rows:
    """Rows of mosaic/read_observations by star, visit and source; numbers of sources begin with their visit's."""
    return np.asarray(rows[np.lexsort([rows["source_id"], rows["visit"], rows["star_id"]])])


def observations(
    rows: Rows, frames: Rows, include_ambiguous: bool, epochs_mjd: Floats | None = None
) -> Observations:
    """Observations of the rows of mosaic/read_observations; frames: those of mosaic/read_frames.

    epochs_mjd : sorted times at which the camera was changed: CCDs before and after are not the same.

    The instrumental magnitude is recovered from the calibrated flux and the first zero point of its frame.
    """
    stars, star = prepare.by_rank(rows["star_id"])
    visits, first = np.unique(frames["visit"], return_index=True)
    bounds = np.zeros(0) if epochs_mjd is None else epochs_mjd
    visit_epochs = np.searchsorted(bounds, frames["obs_mjd"][first], side="right")
    visit = np.searchsorted(visits, rows["visit"])
    pieces = np.unique(_key(visit_epochs[np.searchsorted(visits, frames["visit"])], frames["ccd"]))
    zero = zero_points(rows, frames)
    flux, flux_err = rows["flux_njy"], rows["flux_njy_err"]
    ok = np.isfinite(flux) & (flux > 0) & np.isfinite(flux_err) & (flux_err > 0) & np.isfinite(zero)
    with np.errstate(invalid="ignore", divide="ignore"):
        mag = np.where(ok, AB_NJY - 2.5 * np.log10(np.where(ok, flux, 1.0)) - zero, np.nan)
        mag_err = np.where(ok, 2.5 / np.log(10.0) * flux_err / flux, np.nan)
    xx, yy = (_variance(rows[name]) for name in ("x_pix_err", "y_pix_err"))
    # a covariance that is not positive definite would give negative weights
    limit = 0.99 * np.sqrt(xx * yy)
    xy = np.clip(np.nan_to_num(rows["x_y_pix2_cov"].astype(np.float64)), -limit, limit)
    reason = np.full(len(rows), "", object)
    if not include_ambiguous:
        reason[rows["is_ambiguous"]] = "ambiguous"
    return Observations(
        stars=stars.astype(np.int64), visits=visits.astype(np.int64), ccds=(pieces % _MOST_CCDS).astype(np.int64),
        star=star.astype(np.int64), visit=visit.astype(np.int64),
        ccd=np.searchsorted(pieces, _key(visit_epochs[visit], rows["ccd"])).astype(np.int64),
        x=rows["x_pix"].copy(), y=rows["y_pix"].copy(),
        covariance=np.stack([xx, xy, yy], axis=1), ra=rows["ra"].copy(), dec=rows["dec"].copy(),
        mag=mag, mag_err=mag_err, is_reserved=rows["is_reserved"].copy(), reason=reason,
        ccd_epochs=pieces // _MOST_CCDS, visit_epochs=visit_epochs.astype(np.int64),
    )  # fmt: skip


def _key(epoch: Ints, ccd: Ints) -> Ints:
    """One number of an epoch and a CCD, in the order of epochs."""
    return np.asarray(epoch * _MOST_CCDS + ccd, np.int64)


def _variance(error: Floats) -> Floats:
    error = error.astype(np.float64)  # squares of single precision would lose digits
    known = np.isfinite(error) & (error > 0)
    return np.where(known, error, _UNKNOWN_ERROR_PIX if known.any() else _NO_ERROR_PIX) ** 2


def zero_points(rows: Rows, frames: Rows) -> Floats:
    """(n_row,) first zero point [mag of one electron] of each row's frame; NaN where it has none."""
    key = frames["visit"] * _MOST_CCDS + frames["ccd"]  # frames come sorted
    index = np.minimum(np.searchsorted(key, rows["visit"] * _MOST_CCDS + rows["ccd"]), max(len(key) - 1, 0))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(2.5 * np.log10(frames["flux_mag0_e"]))[index]


def references(
    stars: Ints, positions: Rows | None, mag: Floats, mag_err: Floats, color: Floats | None = None
) -> References:
    """References by star. positions: rows of mosaic/read_ref_positions; mag, mag_err (n_star,), NaN = none.

    Errors grow with the years between the catalog's epoch and the visits': sigma^2 + (sigma_pm dt)^2.
    """
    n = stars.size
    ra, dec, epoch = np.full(n, np.nan), np.full(n, np.nan), np.full(n, np.nan)
    covariance, pm, parallax = np.tile([1.0, 0.0, 1.0], (n, 1)), np.zeros((n, 2)), np.zeros(n)
    if positions is not None and len(positions):
        i = np.searchsorted(stars, positions["star_id"])
        ra[i], dec[i], epoch[i] = positions["ra"], positions["dec"], positions["epoch_mjd"]
        years = np.nan_to_num((positions["epoch_mjd"] - positions["catalog_epoch_mjd"]) / 365.25)
        error = [_grown(positions, axis, years) for axis in ("ra", "dec")]
        corr = np.clip(np.nan_to_num(positions["ra_dec_corr"]), -0.99, 0.99)
        covariance[i] = np.stack([error[0] ** 2, corr * error[0] * error[1], error[1] ** 2], axis=1)
        pm[i, 0], pm[i, 1] = np.nan_to_num(positions["pm_ra_mas_yr"]), np.nan_to_num(positions["pm_dec_mas_yr"])
        parallax[i] = np.nan_to_num(positions["parallax_mas"])
    return References(ra, dec, epoch, covariance, pm, mag, mag_err, parallax, color)


def _grown(rows: Rows, axis: str, years: Floats) -> Floats:
    """One sigma [mas] at the visits' epoch. 40 mas, hscPipe's catRMS, for a catalog without errors; 5 mas/yr, the
    spread of field stars at G = 18-20, for a star without proper motion."""
    error = np.where(rows[f"{axis}_mas_err"] > 0, rows[f"{axis}_mas_err"], 40.0)
    pm_err = np.where(np.isfinite(rows[f"pm_{axis}_mas_yr"]), np.nan_to_num(rows[f"pm_{axis}_mas_yr_err"]), 5.0)
    return np.asarray(np.hypot(error, pm_err * years))


def reference_magnitudes(stars: Ints, rows: Rows, c0: float, c1: float, c2: float) -> tuple[Floats, Floats]:
    """(mag, mag_err) (n_star,) in the camera's filter: p + c0 + c1 (p - s) + c2 (p - s)^2 with its full derivative.

    Stars without the secondary band are left out unless c1 = c2 = 0.
    """
    mag, mag_err = np.full(stars.size, np.nan), np.full(stars.size, np.nan)
    if not len(rows):
        return mag, mag_err
    p, p_err = _magnitude(rows["primary_njy"], rows["primary_njy_err"])
    if c1 == 0.0 and c2 == 0.0:
        color, s_err, slope = np.zeros(p.size), np.zeros(p.size), np.zeros(p.size)
    else:
        s, s_err = _magnitude(rows["secondary_njy"], rows["secondary_njy_err"])
        color = p - s
        slope = c1 + 2.0 * c2 * color
    i = np.searchsorted(stars, rows["star_id"])
    mag[i] = p + c0 + c1 * color + c2 * color**2
    mag_err[i] = np.hypot((1.0 + slope) * p_err, slope * s_err)
    return mag, mag_err


def colors(stars: Ints, rows: Rows) -> Floats:
    """(n_star,) primary minus secondary magnitude of rows of mosaic/read_ref_fluxes; NaN where one is missing."""
    out = np.full(stars.size, np.nan)
    if len(rows):
        both = [_magnitude(rows[f"{band}_njy"], rows[f"{band}_njy_err"])[0] for band in ("primary", "secondary")]
        out[np.searchsorted(stars, rows["star_id"])] = both[0] - both[1]
    return out


def _magnitude(flux: Floats, flux_err: Floats) -> tuple[Floats, Floats]:
    """AB magnitude and error of fluxes [nJy]; 30 mmag, about PS1's repeatability, where the catalog gives no error."""
    with np.errstate(invalid="ignore", divide="ignore"):
        mag = np.where(flux > 0, AB_NJY - 2.5 * np.log10(flux), np.nan)
        err = np.where(flux_err > 0, 2.5 / np.log(10.0) * flux_err / flux, 0.03)
    return mag, err
