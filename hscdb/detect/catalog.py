"""What detect found, as rows of the tables source, frame_quality and psf_star, and as hscPipe's src table."""

from typing import Any

import numpy as np
import numpy.typing as npt

from hscdb.detect.frame import Measured
from hscdb.detect.measure import RADII
from hscdb.image import flags as bits

FWHM_PER_SIGMA = 2.3548200450309493
_LONG = "run_id task_id visit source_id parent_id".split()
_FLUX = ("psf_flux", "gauss_flux", "kron_flux")
_PIXEL = {
    "ixx": "ixx_pix2", "iyy": "iyy_pix2", "ixy": "ixy_pix2",
    "ixx_err": "ixx_pix2_err", "iyy_err": "iyy_pix2_err", "ixy_err": "ixy_pix2_err",
    "x_err": "x_pix_err", "y_err": "y_pix_err",
    "x_y_cov": "x_y_pix2_cov", "kron_radius": "kron_radius_pix", "extendedness": "extendedness",
    "blendedness": "blendedness", "local_background": "local_background_e", "peak": "peak_e",
    "local_background_err": "local_background_e_err", "spread": "spread", "spread_err": "spread_err",
    "psf_correction": "psf_aper_correction", "gauss_correction": "gauss_aper_correction",
    "kron_correction": "kron_aper_correction",
}  # fmt: skip

# our flag -> the name in hscPipe's src table
SRC_FLAGS: dict[str, str] = {
    "edge": "base_PixelFlags_flag_edge",
    "interpolated": "base_PixelFlags_flag_interpolated",
    "interpolated_center": "base_PixelFlags_flag_interpolatedCenter",
    "saturated": "base_PixelFlags_flag_saturated",
    "saturated_center": "base_PixelFlags_flag_saturatedCenter",
    "cr": "base_PixelFlags_flag_cr",
    "cr_center": "base_PixelFlags_flag_crCenter",
    "bad": "base_PixelFlags_flag_bad",
    "suspect": "base_PixelFlags_flag_suspect",
    "suspect_center": "base_PixelFlags_flag_suspectCenter",
    "off_image": "base_PixelFlags_flag_offimage",
    "crosstalk": "base_PixelFlags_flag_crosstalk",
    "centroid_bad": "base_SdssCentroid_flag",
    "shape_bad": "base_SdssShape_flag",
    "psf_flux_bad": "base_PsfFlux_flag",
    "gauss_flux_bad": "base_GaussianFlux_flag",
    "kron_flux_bad": "ext_photometryKron_KronFlux_flag",
    "aper_flux_bad": "base_CircularApertureFlux_12_0_flag",
    "not_deblended": "deblend_skipped",
    "psf_candidate": "calib_psf_candidate",
    "psf_used": "calib_psf_used",
    "psf_reserved": "calib_psf_reserved",
    "aper_correction_bad": "base_PsfFlux_flag_apCorr",
    "extendedness_bad": "base_ClassificationExtendedness_flag",
    "negative": "is_negative",
    "bright_object": "base_PixelFlags_flag_bright_object",
    "bright_object_center": "base_PixelFlags_flag_bright_objectCenter",
    "astrometry_used": "calib_astrometry_used",
    "photometry_used": "calib_photometry_used",
    "photometry_reserved": "calib_photometry_reserved",
}
# hscPipe's column -> (ours, unit)
SRC_COLUMNS: dict[str, tuple[str, str]] = {
    "id": ("source_id", ""),
    "coord_ra": ("", "rad"),
    "coord_dec": ("", "rad"),
    "parent": ("parent_id", ""),
    "deblend_nChild": ("n_child", ""),
    "base_SdssCentroid_x": ("x_pix", "pix"),
    "base_SdssCentroid_y": ("y_pix", "pix"),
    "base_SdssCentroid_xErr": ("x_pix_err", "pix"),
    "base_SdssCentroid_yErr": ("y_pix_err", "pix"),
    "base_SdssCentroid_x_y_Cov": ("x_y_pix2_cov", "pix2"),
    "base_SdssShape_xx": ("ixx_pix2", "pix2"),
    "base_SdssShape_yy": ("iyy_pix2", "pix2"),
    "base_SdssShape_xy": ("ixy_pix2", "pix2"),
    "base_SdssShape_xxErr": ("ixx_pix2_err", "pix2"),
    "base_SdssShape_yyErr": ("iyy_pix2_err", "pix2"),
    "base_SdssShape_xyErr": ("ixy_pix2_err", "pix2"),
    "base_SdssShape_psf_xx": ("psf_ixx_pix2", "pix2"),
    "base_SdssShape_psf_yy": ("psf_iyy_pix2", "pix2"),
    "base_SdssShape_psf_xy": ("psf_ixy_pix2", "pix2"),
    "base_PsfFlux_instFlux": ("psf_flux_e", "electron"),
    "base_PsfFlux_instFluxErr": ("psf_flux_e_err", "electron"),
    "base_PsfFlux_apCorr": ("psf_aper_correction", ""),
    "base_GaussianFlux_instFlux": ("gauss_flux_e", "electron"),
    "base_GaussianFlux_instFluxErr": ("gauss_flux_e_err", "electron"),
    "base_GaussianFlux_apCorr": ("gauss_aper_correction", ""),
    "ext_photometryKron_KronFlux_instFlux": ("kron_flux_e", "electron"),
    "ext_photometryKron_KronFlux_instFluxErr": ("kron_flux_e_err", "electron"),
    "ext_photometryKron_KronFlux_apCorr": ("kron_aper_correction", ""),
    "ext_photometryKron_KronFlux_radius": ("kron_radius_pix", "pix"),
    "base_Blendedness_abs": ("blendedness", ""),
    "base_LocalBackground_instFlux": ("local_background_e", "electron"),
    "base_LocalBackground_instFluxErr": ("local_background_e_err", "electron"),
    "base_ClassificationExtendedness_value": ("extendedness", ""),
    "base_FootprintArea_value": ("n_pixel", "pix"),
    "hscdb_peak": ("peak_e", "electron"),
    "hscdb_spread": ("spread", ""),
    "hscdb_spreadErr": ("spread_err", ""),
}


def aperture_name(radius: float) -> str:
    """3.0 -> "3_0", as in the names of columns."""
    return f"{radius:.1f}".replace(".", "_")


def _source_dtype() -> np.dtype[Any]:
    fields: list[tuple[str, str]] = [(name, "i8") for name in _LONG]
    fields += [("ccd", "i4"), ("n_child", "i2"), ("n_pixel", "i4"), ("flags", "i8"), ("x_pix", "f8"), ("y_pix", "f8")]
    fields += [(name, "f4") for name in _PIXEL.values()]
    fields += [(f"psf_{name}_pix2", "f4") for name in ("ixx", "iyy", "ixy")]
    for stem in (*_FLUX, *(f"aper_{aperture_name(radius)}_flux" for radius in RADII)):
        fields += [(f"{stem}_e", "f4"), (f"{stem}_e_err", "f4")]
    return np.dtype(fields)


SOURCE = _source_dtype()


def sources(measured: Measured, run_id: int, task_id: int, visit: int, ccd: int) -> npt.NDArray[np.void]:
    """Rows of `source` in the order of the measurement; parent_id 0 = none, NaN = not measured."""
    columns = measured.columns
    rows = np.zeros(len(columns["x"]), SOURCE)
    rows["run_id"], rows["task_id"], rows["visit"], rows["ccd"] = run_id, task_id, visit, ccd
    rows["source_id"] = ((visit * 200 + ccd) << 32) + np.arange(1, len(rows) + 1)
    parent = columns["parent"].astype(np.int64)
    rows["parent_id"] = np.where(parent >= 0, rows["source_id"][np.maximum(parent, 0)], 0) if len(rows) else 0
    for name in ("n_child", "n_pixel", "flags"):
        rows[name] = columns[name]
    rows["x_pix"], rows["y_pix"] = columns["x"], columns["y"]
    for ours, name in _PIXEL.items():
        rows[name] = columns[ours]
    for stem in _FLUX:
        rows[f"{stem}_e"], rows[f"{stem}_e_err"] = columns[stem], columns[f"{stem}_err"]
    for k, radius in enumerate(RADII):
        stem = f"aper_{aperture_name(radius)}_flux_e"
        rows[stem], rows[f"{stem}_err"] = columns["aper"][:, k], columns["aper_err"][:, k]
    moments = measured.psf.moments(rows["x_pix"], rows["y_pix"])
    for k, name in enumerate(("ixx", "iyy", "ixy")):
        rows[f"psf_{name}_pix2"] = moments[:, k]
    return rows


def _median(values: npt.NDArray[np.float64]) -> float:
    """Median of the finite values, NaN without any."""
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else float("nan")


def _mean(values: npt.NDArray[np.float64]) -> float:
    """Mean of the finite values, NaN without any."""
    values = values[np.isfinite(values)]
    return float(np.mean(values)) if len(values) else float("nan")


def _rms(values: npt.NDArray[np.float64]) -> float:
    """Root of the mean square of the finite values, NaN without any."""
    return float(np.sqrt(_mean(values**2)))


def quality(
    measured: Measured, run_id: int, task_id: int, visit: int, ccd: int, pixel_scale_arcsec: float
) -> npt.NDArray[np.void]:
    """The row of `frame_quality`."""
    psf, stars = measured.psf, measured.stars
    ny, nx = measured.image.shape
    center = np.array([(nx - 1) / 2]), np.array([(ny - 1) / 2])
    ixx, iyy, ixy = psf.moments(*center)[0]
    sigma = float(psf.sigma(*center)[0])
    judged = stars.is_reserved & ~stars.is_rejected
    size_error = ((stars.star_sigma - stars.psf_sigma) / np.where(stars.psf_sigma > 0, stars.psf_sigma, np.nan))[judged]
    shape_error = (stars.star_e - stars.psf_e)[judged]
    surface = measured.corrections["psf_flux"]
    values: dict[str, Any] = {
        "run_id": run_id, "task_id": task_id, "visit": visit, "ccd": ccd,
        "seeing_arcsec": FWHM_PER_SIGMA * sigma * pixel_scale_arcsec, "psf_sigma_pix": sigma,
        "psf_e1": (ixx - iyy) / (ixx + iyy), "psf_e2": 2 * ixy / (ixx + iyy),
        "psf_model": psf.model, "psf_order": psf.order,
        "n_psf_star": int((~stars.is_reserved & ~stars.is_rejected).sum()), "n_psf_star_reserved": int(judged.sum()),
        "psf_size_rms": _rms(size_error), "psf_size_bias": _mean(size_error), "psf_e1_rms": _rms(shape_error[:, 0]),
        "psf_e2_rms": _rms(shape_error[:, 1]), "psf_chi2": _median(stars.chi2[judged]),
        "background_e": measured.background.level, "background_sigma_e": measured.background.sigma,
        "aper_correction": float(surface.at(*center)[0]) if surface.n_star else np.nan,
        "aper_correction_rms": surface.scatter,
        "n_cosmic_ray": measured.n_cosmic_ray, "n_source": len(measured.columns["x"]),
        "n_negative": measured.n_negative,
    }  # fmt: skip
    kinds = {int: "i8", float: "f8", str: "O"}
    row = np.zeros(1, [(name, kinds.get(type(value), "f8")) for name, value in values.items()])
    for name, value in values.items():
        row[name] = value
    return row


def psf_stars(measured: Measured, run_id: int, task_id: int, visit: int, ccd: int) -> npt.NDArray[np.void]:
    """Rows of `psf_star`."""
    stars = measured.stars
    columns = {
        "x_pix": stars.x, "y_pix": stars.y, "snr": stars.snr, "is_reserved": stars.is_reserved,
        "is_rejected": stars.is_rejected, "star_sigma_pix": stars.star_sigma, "psf_sigma_pix": stars.psf_sigma,
        "star_e1": stars.star_e[:, 0], "star_e2": stars.star_e[:, 1], "psf_e1": stars.psf_e[:, 0],
        "psf_e2": stars.psf_e[:, 1], "chi2": stars.chi2,
    }  # fmt: skip
    ids = {"run_id": run_id, "task_id": task_id, "visit": visit, "ccd": ccd}
    rows = np.zeros(len(stars.x), [(name, "i8") for name in ids] + [(n, c.dtype) for n, c in columns.items()])
    for name, value in (ids | columns).items():
        rows[name] = value
    return rows


def src(rows: npt.NDArray[np.void]) -> tuple[npt.NDArray[np.void], dict[str, str], list[tuple[str, Any, str]]]:
    """hscPipe's src table from rows of `source`: table, units, cards (TFLAGn of the bits, TDOCn, aliases of slots).

    coord_ra and coord_dec are NaN until calibrate knows them. `flags` is (n, n_flag) bool, one packed bit column.
    """
    columns = dict(SRC_COLUMNS)
    for radius in RADII:
        name = aperture_name(radius)
        stem = f"base_CircularApertureFlux_{name}_instFlux"
        columns[stem] = (f"aper_{name}_flux_e", "electron")
        columns[f"{stem}Err"] = (f"aper_{name}_flux_e_err", "electron")
    names = {SRC_FLAGS.get(name, f"hscdb_{name}"): bit for name, bit, _ in bits.FLAGS}
    fields: list[Any] = [("flags", "?", (len(names),))]
    fields += [(name, rows.dtype[ours] if ours else np.dtype("f8")) for name, (ours, _) in columns.items()]
    table = np.empty(len(rows), fields)
    table["flags"] = (rows["flags"][:, None] >> np.arange(len(names))) & 1
    for name, (ours, _) in columns.items():
        table[name] = rows[ours] if ours else np.nan
    units = {name: unit for name, (_, unit) in columns.items() if unit}
    cards: list[tuple[str, Any, str]] = [
        ("AFW_TYPE", "SOURCE", "kind of table"),
        ("AFW_TABLE_VERSION", 3, "layout of the table"),
        ("FLAGCOL", 1, "column of the packed flags"),
    ]
    cards += [(f"TFLAG{bit + 1}", name, "") for name, bit in names.items()]
    cards += [(f"TFDOC{bit + 1}", f"{name}: {meaning}", "") for name, bit, meaning in bits.FLAGS]
    cards += [(f"TDOC{k + 2}", f"hscdb: {ours}", "") for k, (ours, _) in enumerate(columns.values()) if ours]
    slots = {
        "Centroid": "base_SdssCentroid", "Shape": "base_SdssShape", "PsfShape": "base_SdssShape_psf",
        "PsfFlux": "base_PsfFlux", "ApFlux": "base_CircularApertureFlux_12_0",
        "CalibFlux": "base_CircularApertureFlux_12_0", "ModelFlux": "base_GaussianFlux",
        "GaussianFlux": "base_GaussianFlux",
    }  # fmt: skip
    cards += [(f"ALIAS{k}", f"slot_{name}:{field}", "") for k, (name, field) in enumerate(slots.items())]
    return table, units, cards
