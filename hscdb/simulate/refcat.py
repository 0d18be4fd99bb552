"""Reference catalogs as one would have got them: Gaia DR3 and PS1, with their errors and limits."""

import numpy as np
from numpy.typing import NDArray

from hscdb.simulate.epoch import REF_EPOCH
from hscdb.simulate.population import BANDS
from hscdb.simulate.setup import Setup, stream
from hscdb.sky import sphere

# Gaia DR3, median errors of five-parameter solutions at G (Lindegren et al. 2021, table 4).
_G = np.array([9.0, 15.0, 17.0, 18.0, 19.0, 20.0, 21.0])
_POSITION_MAS = np.array([0.015, 0.02, 0.05, 0.09, 0.17, 0.40, 1.00])
_PARALLAX_MAS = np.array([0.02, 0.03, 0.07, 0.12, 0.24, 0.55, 1.30])
_MOTION_MAS_YR = np.array([0.02, 0.03, 0.07, 0.12, 0.24, 0.55, 1.40])
_RA_SHARE, _DEC_SHARE = 1.05, 0.95  # the scanning law favors declination

GAIA_UNITS = {
    "ra": "deg", "dec": "deg", "ra_error": "mas", "dec_error": "mas", "parallax": "mas", "parallax_error": "mas",
    "pmra": "mas/yr", "pmra_error": "mas/yr", "pmdec": "mas/yr", "pmdec_error": "mas/yr", "ref_epoch": "yr",
    "phot_g_mean_mag": "mag", "phot_bp_mean_mag": "mag", "phot_rp_mean_mag": "mag",
}  # fmt: skip

# PS1 DR1 mean PSF photometry: magnitudes of 5 sigma, and the floor of bright stars (Chambers et al. 2016).
_PS1_DEPTH = {"g": 23.2, "r": 23.1, "i": 23.0, "z": 22.2, "y": 21.2}
_PS1_FLOOR_MAG, _PS1_BRIGHT = 0.006, 14.0
_PS1_MJD = 56000.0
PS1_UNITS = {"RAJ2000": "deg", "DEJ2000": "deg", "e_RAJ2000": "arcsec", "e_DEJ2000": "arcsec", "Epoch": "d"} | {
    f"{front}{band}mag": "mag" for band in BANDS for front in ("", "e_")
}


def gaia(setup: Setup, objects: NDArray[np.void]) -> NDArray[np.void]:
    """Stars with G < 21 without a brighter companion within 0.5 arcsec; some faint ones lack motion and parallax."""
    random = stream(setup, "gaia")
    bright = ~objects["is_galaxy"] & (objects["mag_gaia_g"] < 21.0) & (objects["mag_gaia_g"] > 3.0)
    stars = objects[bright & ~_is_hidden(objects)]
    n, g = len(stars), stars["mag_gaia_g"]
    names = ["source_id", *(name for name in GAIA_UNITS), "phot_g_mean_flux_over_error", "ruwe"]
    table = np.zeros(n, [(name, "i8" if name == "source_id" else "f8") for name in names])
    table["source_id"] = 2_000_000_000_000_000_000 + stars["star_id"]
    spread = random.lognormal(0.0, 0.15, (3, n))
    position, parallax, motion = (
        np.interp(g, _G, error) * wide
        for error, wide in zip((_POSITION_MAS, _PARALLAX_MAS, _MOTION_MAS_YR), spread, strict=True)
    )
    table["ra_error"], table["dec_error"] = _RA_SHARE * position, _DEC_SHARE * position
    xi, eta = (random.normal(size=n) * table[name] / 3.6e6 for name in ("ra_error", "dec_error"))
    table["ra"], table["dec"] = sphere.deproject(xi, eta, stars["ra"], stars["dec"])
    for name, truth, error in (
        ("parallax", "parallax_mas", parallax),
        ("pmra", "pmra_mas_yr", _RA_SHARE * motion),
        ("pmdec", "pmdec_mas_yr", _DEC_SHARE * motion),
    ):
        table[name + "_error"] = error
        table[name] = stars[truth] + random.normal(size=n) * error
    is_short = (random.random(n) < np.interp(g, [19.5, 21.0], [0.0, 0.3])) | (g > 20.95)
    for name in ("parallax", "pmra", "pmdec"):
        table[name][is_short] = table[name + "_error"][is_short] = np.nan
    table["ref_epoch"] = REF_EPOCH
    error_mag = np.interp(g, [13.0, 17.0, 20.0, 21.0], [0.0005, 0.001, 0.005, 0.015])
    table["phot_g_mean_mag"] = g + random.normal(size=n) * error_mag
    table["phot_bp_mean_mag"] = g + 0.6 * stars["gaia_bp_rp"] + random.normal(size=n) * 10.0 * error_mag
    table["phot_rp_mean_mag"] = g - 0.4 * stars["gaia_bp_rp"] + random.normal(size=n) * 8.0 * error_mag
    table["phot_g_mean_flux_over_error"] = 1.0857 / error_mag
    table["ruwe"] = np.abs(random.normal(1.0, 0.05, n))
    return table


def ps1(setup: Setup, objects: NDArray[np.void]) -> NDArray[np.void]:
    """Objects seen at 5 sigma in r or i, stars and galaxies, with magnitudes and their errors; NaN where not seen."""
    random = stream(setup, "ps1")
    seen = (objects["mag_r"] < _PS1_DEPTH["r"]) | (objects["mag_i"] < _PS1_DEPTH["i"])
    found = objects[seen & ~_is_hidden(objects) & (objects["mag_r"] > 12.0)]
    n = len(found)
    table = np.zeros(n, [("objID", "i8"), *((name, "f8") for name in PS1_UNITS)])
    table["objID"] = 100_000_000_000_000_000 + found["star_id"]
    error = np.hypot(0.010, 0.25 * 10.0 ** (0.4 * (found["mag_i"] - _PS1_DEPTH["i"])))
    years = (_PS1_MJD - 57388.5) / 365.25
    moved = (found[name] * years / 1000.0 for name in ("pmra_mas_yr", "pmdec_mas_yr"))
    xi, eta = ((shift + random.normal(size=n) * error) / 3600.0 for shift in moved)
    table["RAJ2000"], table["DEJ2000"] = sphere.deproject(xi, eta, found["ra"], found["dec"])
    table["e_RAJ2000"] = table["e_DEJ2000"] = error
    table["Epoch"] = _PS1_MJD
    for band in BANDS:
        mag = found[f"mag_{band}"] + 0.1 * found["is_galaxy"]  # PSF magnitudes miss some light of a galaxy
        noise = np.hypot(_PS1_FLOOR_MAG, 0.2 * 10.0 ** (0.4 * (mag - _PS1_DEPTH[band])))
        noise = noise + 0.05 * 10.0 ** np.minimum(_PS1_BRIGHT - mag - 0.5, 1.0) * (mag < _PS1_BRIGHT)  # saturation
        is_seen = mag < _PS1_DEPTH[band] + 0.3
        table[f"{band}mag"] = np.where(is_seen, mag + random.normal(size=n) * noise, np.nan)
        table[f"e_{band}mag"] = np.where(is_seen, noise, np.nan)
    return table


def _is_hidden(objects: NDArray[np.void]) -> NDArray[np.bool_]:
    """Companions nearer than 0.5 arcsec to the first star: no catalog tells them apart."""
    hidden = np.zeros(len(objects), bool)
    second = np.flatnonzero(objects["companion_of"] >= 0)
    first = np.searchsorted(objects["star_id"], objects["companion_of"][second])
    apart = sphere.separation(
        objects["ra"][second], objects["dec"][second], objects["ra"][first], objects["dec"][first]
    )
    hidden[second] = apart < 0.5 / 3600.0
    return hidden
