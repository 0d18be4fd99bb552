"""What a catalog measured of each source: fluxes, errors and flags in our units, as rows of source and source_sky."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hscdb.camera.model import MAG_1S_GUESS, Camera
from hscdb.errors import InputError
from hscdb.image.flags import BIT
from hscdb.ingest.columns import Floats, magnitude, pick, positive
from hscdb.ingest.refcat import AB_ZERO_NJY, MAG_ERROR
from hscdb.ingest.rules import quantity
from hscdb.ingest.translate import Facts
from hscdb.sky.wcs import Wcs

# Fluxes that a preset or a map may fill. The main one is what `source_sky.flux_njy` holds and all that follows uses.
FLUXES = ("psf", "gauss", "kron", *(f"aper_{r}" for r in ("3_0", "4_5", "6_0", "9_0", "12_0", "17_0", "25_0", "35_0",
                                                          "50_0", "70_0")))  # fmt: skip
MAIN = "aper_12_0"
SEEING_ARCSEC = 1.0  # for position errors by FWHM / (2.355 S/N) where nothing tells the seeing
SOURCE = np.dtype(
    [("run_id", "i8"), ("task_id", "i8"), ("visit", "i8"), ("ccd", "i4"), ("source_id", "i8"),
     ("n_child", "i2"), ("x_pix", "f8"), ("y_pix", "f8"),
     ("x_pix_err", "f4"), ("y_pix_err", "f4"), ("extendedness", "f4"), ("n_pixel", "i4"), ("flags", "i8"),
     *((f"{name}_flux_e{end}", "f4") for name in FLUXES for end in ("", "_err"))]
)  # fmt: skip
SKY = np.dtype(
    [("run_id", "i8"), ("task_id", "i8"), ("visit", "i8"), ("ccd", "i4"), ("source_id", "i8"),
     ("ra", "f8"), ("dec", "f8"), ("ra_mas_err", "f4"),
     ("dec_mas_err", "f4"), ("flux_njy", "f4"), ("flux_njy_err", "f4")]
)  # fmt: skip


@dataclass(frozen=True)
class Measured:
    """Rows of source and source_sky (of dtypes SOURCE and SKY, row by row the same sources; run_id and task_id
    are the caller's to set) and their flux scale."""

    source: NDArray[Any]
    sky: NDArray[Any]
    flux_mag0_e: float


def measure(
    camera: Camera, spec: Mapping[str, Any], facts: Facts, wcs: Wcs, columns: Mapping[str, Any],
    units: Mapping[str, str], header: Mapping[str, Any], place: tuple[Floats, Floats, Floats, Floats],
) -> Measured:  # fmt: skip
    """The rows of one frame. columns : of its sources only. place : their x, y [0-based pix], ra, dec [deg].

    InputError `missing_column` if no flux can be had.
    """  # fmt: skip
    n_row = len(place[0])
    flux_mag0 = zero_flux(camera, spec, facts, header)
    source, sky = np.zeros(n_row, SOURCE), np.zeros(n_row, SKY)
    for rows in (source, sky):
        rows["visit"], rows["ccd"] = facts.visit, facts.ccd
        rows["source_id"] = ((facts.visit * 200 + facts.ccd) << 32) + np.arange(1, n_row + 1)
    source["x_pix"], source["y_pix"], sky["ra"], sky["dec"] = place
    noise = Noise.of(spec, header)
    fluxes = _all_fluxes(spec, columns, units, flux_mag0, noise)
    for name in FLUXES:
        flux, error = fluxes.get(name, (np.nan, np.nan))
        source[f"{name}_flux_e"], source[f"{name}_flux_e_err"] = flux, error
    main, main_err = fluxes[MAIN]
    sky["flux_njy"], sky["flux_njy_err"] = (flux / flux_mag0 * AB_ZERO_NJY for flux in (main, main_err))
    centroid = fluxes.get(spec.get("centroid_flux", ""), fluxes[MAIN])
    errors = _position_errors(camera, spec, columns, units, noise, centroid)
    scale_mas = np.sqrt(float(wcs.pixel_area(*wcs.crpix))) * 3.6e6
    source["x_pix_err"], source["y_pix_err"] = errors
    # The camera's axes may be turned against the sky's: the error of each is the mean of both.
    sky["ra_mas_err"] = sky["dec_mas_err"] = np.sqrt((errors[0] ** 2 + errors[1] ** 2) / 2.0) * scale_mas
    extendedness = pick(spec["columns"].get("extendedness"), columns, units)
    source["extendedness"] = np.nan if extendedness is None else extendedness
    source["flags"] = _flags(spec, columns, n_row)
    source["flags"][~np.isfinite(main)] |= 1 << BIT["aper_flux_bad"]
    source["flags"][~np.isfinite(fluxes["psf"][0])] |= 1 << BIT["psf_flux_bad"]
    return Measured(source, sky, flux_mag0)


def zero_flux(camera: Camera, spec: Mapping[str, Any], facts: Facts, header: Mapping[str, Any]) -> float:
    """Counts of a star of magnitude 0: by the map's zero_point, by keywords of the preset, else by the filter's
    mag_1s and the exposure time (a start; the joint solution finds the scale)."""
    for kind in ("flux_mag0", "zero_point"):
        rules = spec["columns"].get(kind) or spec.get(kind)
        found = None if rules is None else quantity("zero", {"zero": _as_rule(rules)}, header)
        if found is not None and np.isfinite(float(found)) and (kind == "zero_point" or float(found) > 0.0):
            return float(found) if kind == "flux_mag0" else float(10.0 ** (0.4 * float(found)))
    known = camera.filter_of(facts.filter or "")
    mag_1s = MAG_1S_GUESS if known is None else known.start_mag_1s
    return float(10.0 ** (0.4 * mag_1s) * (facts.exposure_s or 1.0))


def _as_rule(source: Any) -> Any:
    """A source of the map (a constant) or of a preset (keywords) as a rule for headers."""
    return {"value": source} if isinstance(source, int | float) else source


def _all_fluxes(
    spec: Mapping[str, Any], columns: Mapping[str, Any], units: Mapping[str, str], flux_mag0: float, noise: "Noise"
) -> dict[str, tuple[Floats, Floats]]:
    """Fluxes and their errors by name; the main one and that of the PSF stand in for each other."""
    fluxes = {}
    for name, one in spec["flux"].items():
        found = flux_of(one, columns, units, flux_mag0, noise)
        if found is not None:
            fluxes[name] = found
    if not fluxes and pick(spec["columns"].get("snr"), columns, units) is not None:
        snr = {"snr": spec["columns"]["snr"]}
        fluxes[MAIN] = flux_of(snr, columns, units, flux_mag0) or (np.zeros(0), np.zeros(0))
    if not fluxes:
        raise InputError(
            f"no column of a flux (there are {', '.join(list(columns)[:40])}). Name one: --map "
            "flux=COLUMN, mag=COLUMN or snr=COLUMN.",
            "missing_column",
        )
    candidates = [MAIN, spec.get("main", MAIN), "psf", *fluxes]
    main = next(fluxes[name] for name in candidates if name in fluxes)
    return {"psf": main} | fluxes | {MAIN: main}


def flux_of(
    one: Mapping[str, Any], columns: Mapping[str, Any], units: Mapping[str, str], flux_mag0: float,
    noise: "Noise | None" = None,
) -> tuple[Floats, Floats] | None:  # fmt: skip
    """Counts and their one sigma: from a flux, else from a magnitude, else from a signal-to-noise ratio.

    A ratio alone gives snr^2 counts with the error snr: what a bright star's photon noise makes of it. None if the
    table has none of them. Where the table has no error of the flux, but the scatter of the sky, see `Noise`.
    """
    n_row = len(next(iter(columns.values()), ()))
    flux, mag, snr = (pick(one.get(kind), columns, units) for kind in ("flux", "mag", "snr"))
    ratio = positive(snr, n_row)
    if flux is None and mag is None:
        return None if snr is None else (ratio**2, ratio)
    if flux is None:
        flux = flux_mag0 * 10.0 ** (-0.4 * magnitude(mag, n_row))
    flux = np.where(np.isfinite(flux), flux, np.nan)
    error = positive(pick(one.get("flux_err"), columns, units), n_row)
    relative = positive(pick(one.get("relative_err"), columns, units), n_row)
    mag_error = positive(pick(one.get("mag_err"), columns, units), n_row)
    with np.errstate(invalid="ignore"):
        for other in (np.abs(flux) * relative, np.abs(flux) * mag_error / MAG_ERROR, np.abs(flux) / ratio):
            error = np.where(np.isfinite(error), error, other)
    sky_rms = pick(one.get("sky_rms"), columns, units)
    if sky_rms is not None and noise is not None:
        error = np.where(np.isfinite(error), error, noise.error(flux, sky_rms, one))
    return flux, error


@dataclass(frozen=True)
class Noise:
    """What makes errors of counts: electrons per count, and the FWHM of the PSF [pix] (None: unknown)."""

    gain_e: float
    fwhm_pix: float | None

    @classmethod
    def of(cls, spec: Mapping[str, Any], header: Mapping[str, Any]) -> "Noise":
        """By the constants or keywords `gain_e` and `fwhm_pix` of a preset or map."""
        found = {}
        for name in ("gain_e", "fwhm_pix"):
            rule = spec["columns"].get(name) or spec.get(name)
            found[name] = None if rule is None else quantity(name, {name: _as_rule(rule)}, header)
        gain, fwhm = found["gain_e"], found["fwhm_pix"]
        return cls(1.0 if gain is None else float(gain), None if fwhm is None else float(fwhm))

    def error(self, flux: Floats, sky_rms: Floats, one: Mapping[str, Any]) -> Floats:
        """One sigma of counts by photon noise and the scatter of the sky per pixel.

        sqrt(F / gain + rms^2 A): A = n + (pi / 2) n^2 / n_sky for an aperture `radius_pix` of n pixels whose sky is
        the median of a ring `ring_pix` of n_sky; A = 4 pi sigma^2, the noise pixels of a Gaussian, for a PSF fit.
        """
        if "radius_pix" in one:
            n = np.pi * float(one["radius_pix"]) ** 2
            inner, outer = (float(radius) for radius in one["ring_pix"])
            area = n + 0.5 * np.pi * n**2 / (np.pi * (outer**2 - inner**2))
        else:
            area = 4.0 * np.pi * ((self.fwhm_pix or np.nan) / 2.355) ** 2
        return np.asarray(np.sqrt(np.maximum(flux, 0.0) / self.gain_e + sky_rms**2 * area))


def _position_errors(
    camera: Camera, spec: Mapping[str, Any], columns: Mapping[str, Any], units: Mapping[str, str],
    noise: Noise, centroid: tuple[Floats, Floats],
) -> tuple[Floats, Floats]:  # fmt: skip
    """One sigma of x and y [pix]: columns, else by the Fisher information of a Gaussian PSF of dispersion s.

    s / SNR where photons of the star make the noise; sqrt(2) s / SNR where the sky does, told apart if the counts'
    errors are made by `Noise`. S/N is the column `snr`, else that of the flux `centroid` (counts, one sigma).
    """
    wanted, n_row = spec["columns"], len(centroid[0])
    errors = [pick(wanted.get(name), columns, units) for name in ("x_err", "y_err")]
    snr = positive(pick(wanted.get("snr"), columns, units), n_row)
    fwhm_pix = noise.fwhm_pix if noise.fwhm_pix is not None else SEEING_ARCSEC / camera.pixel_scale_arcsec
    flux, flux_err = centroid
    with np.errstate(invalid="ignore", divide="ignore"):
        estimate = fwhm_pix / 2.355 / np.where(np.isfinite(snr), snr, positive(flux / flux_err, n_row))
        if "sky_rms" in spec["flux"].get(spec.get("centroid_flux", MAIN), {}):
            estimate *= np.sqrt(2.0 - np.clip(flux / noise.gain_e / flux_err**2, 0.0, 1.0))
    x_err, y_err = (positive(error, n_row) for error in errors)
    return np.where(np.isfinite(x_err), x_err, estimate), np.where(np.isfinite(y_err), y_err, estimate)


def _flags(spec: Mapping[str, Any], columns: Mapping[str, Any], n_row: int) -> NDArray[np.int64]:
    """Our flag bits from those of a catalog: bits of one column, and columns of truth values."""
    flags = np.zeros(n_row, np.int64)
    section = spec.get("flags", {})
    column = columns.get(section.get("column", ""))
    if column is not None:
        numbers = np.nan_to_num(np.asarray(column, dtype=np.float64)).astype(np.int64)
        for bit, names in section["bits"].items():
            ours = sum(1 << BIT[name] for name in names)
            flags[(numbers >> int(bit)) & 1 == 1] |= ours
    for name, theirs in spec.get("flag_columns", {}).items():
        for one in theirs:
            if one in columns:
                flags[np.asarray(columns[one]).astype(bool)] |= 1 << BIT[name]
    return flags


def afw_flags(columns: Mapping[str, Any], header: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of an afw table with its packed `flags` (n, n_flag) unpacked by the names TFLAGn of the header."""
    packed = columns.get("flags")
    if packed is None or np.asarray(packed).ndim != 2:
        return dict(columns)
    names = [header.get(f"TFLAG{n}") for n in range(1, np.asarray(packed).shape[1] + 1)]
    single = {str(name): np.asarray(packed)[:, n] for n, name in enumerate(names) if name}
    return {name: column for name, column in columns.items() if name != "flags"} | single
