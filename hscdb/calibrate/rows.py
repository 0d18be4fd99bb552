"""What calibrate stores, as structured arrays named like the tables' columns."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hscdb.calibrate.astrometry import Solution
from hscdb.calibrate.photometry import ZeroPoint
from hscdb.sky import sphere
from hscdb.sky.wcs import Wcs

Rows = NDArray[np.void]
Floats = NDArray[np.float64]

AB_NJY_MAG0 = 3631e9


def record(**fields: Any) -> Rows:
    """One row; lists and text become objects, floats may be NaN."""
    kinds = {float: "f8", int: "i8", bool: "?"}
    row = np.zeros(1, [(name, kinds.get(type(entry), "O")) for name, entry in fields.items()])
    for name, entry in fields.items():
        row[name][0] = entry
    return row


def wcs_solution(ids: dict[str, int], solution: Solution, size: tuple[int, int]) -> Rows:
    """The row of wcs_solution. ids: run_id, task_id, visit, ccd; size: (width, height)."""
    wcs = solution.wcs
    corner_ra, corner_dec = wcs.corners(*size)
    ra, dec = (float(each) for each in wcs.pixel_to_sky((size[0] - 1) / 2.0, (size[1] - 1) / 2.0))
    return record(
        **ids,
        stage="calibrate",
        status="solved",
        crval1_deg=wcs.crval[0],
        crval2_deg=wcs.crval[1],
        crpix1_pix=wcs.crpix[0],
        crpix2_pix=wcs.crpix[1],
        cd1_1_deg=float(wcs.cd[0, 0]),
        cd1_2_deg=float(wcs.cd[0, 1]),
        cd2_1_deg=float(wcs.cd[1, 0]),
        cd2_2_deg=float(wcs.cd[1, 1]),
        sip_order=wcs.order,
        sip_a=wcs.sip_a(),
        sip_b=wcs.sip_b(),
        corner_ra=corner_ra.tolist(),
        corner_dec=corner_dec.tolist(),
        ra=ra,
        dec=dec,
        radius_deg=float(np.max(sphere.separation(ra, dec, corner_ra, corner_dec))),
        n_star=int(solution.is_used.sum()),
        rms_mas=solution.rms_mas,
        ref_rms_mas=solution.rms_mas,
    )


def flux_scale(ids: dict[str, int], zero_point: ZeroPoint, status: str, color_term: float) -> Rows:
    """The row of flux_scale: one number for the whole frame."""
    return record(
        **ids,
        stage="calibrate",
        status=status,
        flux_mag0_e=zero_point.flux_mag0,
        flux_mag0_e_err=zero_point.flux_mag0_err,
        poly_order=0,
        poly_mag=[0.0],
        x0_pix=0.0,
        y0_pix=0.0,
        has_jacobian=False,
        visit_mag=zero_point.mag,
        ccd_mag=0.0,
        color_term=color_term,
        n_star=int(zero_point.is_used.sum()),
        rms_mag=zero_point.rms_mag,
    )


def source_sky(ids: dict[str, int], sources: Rows, wcs: Wcs, flux_mag0: float, flags: NDArray[np.int64]) -> Rows:
    """Rows of source_sky: places with errors through the WCS's Jacobian, 12-pix aperture fluxes in nJy, flags (n,)."""
    x, y = sources["x_pix"], sources["y_pix"]
    ra, dec = wcs.pixel_to_sky(x, y)
    ra_err, dec_err = place_errors(wcs, x, y, sources["x_pix_err"], sources["y_pix_err"], sources["x_y_pix2_cov"])
    fields = {
        "ra": ra,
        "dec": dec,
        "ra_mas_err": ra_err,
        "dec_mas_err": dec_err,
        "flux_njy": sources["aper_12_0_flux_e"] * (AB_NJY_MAG0 / flux_mag0),
        "flux_njy_err": sources["aper_12_0_flux_e_err"] * (AB_NJY_MAG0 / flux_mag0),
    }
    whole = (*ids, "source_id", "sky_flags")
    rows = np.zeros(len(sources), [(name, "i8") for name in whole] + [(name, "f8") for name in fields])
    for name, number in ids.items():
        rows[name] = number
    rows["source_id"], rows["sky_flags"] = sources["source_id"], flags
    for name, column in fields.items():
        rows[name] = np.where(np.isfinite(column), column, np.nan)
    return rows


def place_errors(wcs: Wcs, x: Floats, y: Floats, x_err: Floats, y_err: Floats, cov: Floats) -> tuple[Floats, Floats]:
    """One sigma of ra cos(dec) and of dec [mas] of centroid errors [pix]; an unknown covariance counts as 0.

    The Jacobian is taken by differences over one pixel on the sphere itself: along east and north at each source, which
    near a pole are not the axes of the tangent plane.
    """
    _, dec = wcs.pixel_to_sky(x, y)
    columns = []
    for dx, dy in ((0.5, 0.0), (0.0, 0.5)):
        (ra1, dec1), (ra2, dec2) = wcs.pixel_to_sky(x - dx, y - dy), wcs.pixel_to_sky(x + dx, y + dy)
        east = ((ra2 - ra1 + 180.0) % 360.0 - 180.0) * np.cos(np.radians(dec))
        columns.append((east * 3.6e6, (dec2 - dec1) * 3.6e6))
    (ex, nx), (ey, ny) = columns
    both = np.nan_to_num(cov)
    variance_east = (ex * x_err) ** 2 + (ey * y_err) ** 2 + 2.0 * ex * ey * both
    variance_north = (nx * x_err) ** 2 + (ny * y_err) ** 2 + 2.0 * nx * ny * both
    return np.sqrt(np.maximum(variance_east, 0.0)), np.sqrt(np.maximum(variance_north, 0.0))


def source_ref(
    ids: dict[str, int], source_id: Any, catalog: int, ref_id: Any, sep_arcsec: Floats, is_used: Any
) -> Rows:
    """Rows of source_ref of one reference catalog."""
    rows = np.zeros(
        len(source_id),
        [(name, "i8") for name in (*ids, "source_id", "ref_catalog_id", "ref_id")]
        + [("sep_arcsec", "f8"), ("is_used", "?")],
    )
    for name, number in (ids | {"ref_catalog_id": catalog}).items():
        rows[name] = number
    rows["source_id"], rows["ref_id"], rows["sep_arcsec"], rows["is_used"] = source_id, ref_id, sep_arcsec, is_used
    return rows


def cards(solution: Solution, zero_point: ZeroPoint, exposure_s: float) -> list[tuple[str, Any, str]]:
    """hscPipe's header cards of the calibration; MAGZERO belongs to one electron per second."""
    per_second = 2.5 * float(np.log10(exposure_s)) if exposure_s > 0.0 else 0.0
    return [
        ("FLUXMAG0", zero_point.flux_mag0, "[electron] counts of an AB magnitude of 0"),
        ("FLUXMAG0ERR", zero_point.flux_mag0_err, "[electron] one sigma of FLUXMAG0"),
        ("MAGZERO", zero_point.mag - per_second, "[mag] zero point of one electron per second"),
        ("MAGZERO_RMS", zero_point.rms_mag, "[mag] rms of the stars used"),
        ("MAGZERO_NOBJ", int(zero_point.is_used.sum()), "stars used"),
        ("COLORTERM1", 0.0, ""),
        ("COLORTERM2", 0.0, ""),
        ("COLORTERM3", 0.0, ""),
        ("ASTRMS", solution.rms_mas, "[mas] rms per axis of the stars used"),
        ("ASTNSTAR", int(solution.is_used.sum()), "stars used in the WCS"),
    ]
