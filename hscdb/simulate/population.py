"""The sky: stars and galaxies of cells of 0.1 degree, each cell drawn from its own random stream.

The sky is therefore the same for every choice of CCDs, visits and processes, and has no seam at RA 0/360.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hscdb.simulate.setup import Setup, stream
from hscdb.sky import sphere

CELL_DEG = 0.1
BANDS = "grizy"
N_IN_CELL = 1_000_000  # star_id = (zone * 3600 + cell) * N_IN_CELL + number

OBJECT = np.dtype(
    [
        ("star_id", "i8"), ("ra", "f8"), ("dec", "f8"),
        ("pmra_mas_yr", "f8"), ("pmdec_mas_yr", "f8"), ("parallax_mas", "f8"),
        *((f"mag_{band}", "f8") for band in BANDS), ("mag_gaia_g", "f8"), ("gaia_bp_rp", "f8"),
        ("is_galaxy", "?"), ("is_variable", "?"), ("companion_of", "i8"),
        ("amplitude_mag", "f8"), ("period_d", "f8"), ("phase", "f8"),
        ("half_light_arcsec", "f8"), ("axis_ratio", "f8"), ("angle_deg", "f8"), ("is_spheroid", "?"),
    ]
)  # fmt: skip

# Counts per square degree and magnitude (r), log10. Stars: galactic latitude 60 deg, adding up to the Gaia density of
# 2000-3000 per square degree at G < 21; galaxies: the usual deep counts, 20 per square arcmin at r < 25.
_COUNT_MAG = np.array([8.0, 10.0, 12.0, 14.0, 16.0, 18.0, 20.0, 22.0, 24.0, 26.0])
_STAR_LOG = np.array([-0.2, 0.5, 1.15, 1.7, 2.2, 2.57, 2.83, 3.05, 3.22, 3.3])
_GALAXY_LOG = np.array([-2.5, -1.7, -0.7, 0.3, 1.25, 2.25, 3.1, 3.85, 4.45, 4.95])

# The main sequence in PS1 colors by a running type (0 = A, 5 = late K, 10 = M6), after the stellar locus of
# Covey et al. 2007 and Tonry et al. 2012, with absolute magnitudes in r.
_TYPE = np.arange(11.0)
_LOCUS = {
    "g-r": (-0.10, 0.15, 0.38, 0.55, 0.78, 1.00, 1.16, 1.20, 1.21, 1.23, 1.28),
    "r-i": (-0.10, 0.02, 0.12, 0.20, 0.30, 0.43, 0.65, 0.95, 1.25, 1.55, 1.85),
    "i-z": (-0.06, 0.00, 0.04, 0.08, 0.13, 0.20, 0.31, 0.44, 0.57, 0.70, 0.84),
    "z-y": (-0.02, 0.00, 0.02, 0.04, 0.07, 0.10, 0.15, 0.21, 0.27, 0.34, 0.42),
    "M_r": (1.8, 3.0, 4.2, 5.2, 6.2, 7.3, 8.8, 10.0, 11.4, 13.0, 14.8),
}


def cells(ra: float, dec: float, radius_deg: float) -> list[tuple[int, int]]:
    """The (zone, cell) that a cone touches; a few more at its corners."""
    found = []
    low, high = max(dec - radius_deg, -90.0), min(dec + radius_deg, 90.0 - 1e-9)
    for zone in range(int((low + 90.0) / CELL_DEG), int((high + 90.0) / CELL_DEG) + 1):
        n_cell = _n_cell(zone)
        if abs(dec) + radius_deg >= 90.0:
            found += [(zone, cell) for cell in range(n_cell)]
            continue
        half = np.degrees(np.arcsin(np.sin(np.radians(radius_deg)) / np.cos(np.radians(dec))))
        first, last = (int(np.floor((ra + side * half) / 360.0 * n_cell)) for side in (-1, 1))
        found += [(zone, cell) for cell in sorted({cell % n_cell for cell in range(first, last + 1)})]
    return found


def _n_cell(zone: int) -> int:
    middle = np.radians((zone + 0.5) * CELL_DEG - 90.0)
    return max(1, int(360.0 * np.cos(middle) / CELL_DEG))


@lru_cache(maxsize=4096)
def cell_objects(setup: Setup, zone: int, cell: int) -> NDArray[np.void]:
    """Stars and galaxies of a cell, (n,) OBJECT, at epoch 2016.0. Read only."""
    random = stream(setup, "cell", zone, cell)
    n_cell = _n_cell(zone)
    edges = np.sin(np.radians(np.array([zone, zone + 1]) * CELL_DEG - 90.0))
    area = np.degrees(np.degrees((edges[1] - edges[0]) * 2.0 * np.pi / n_cell))
    stars = _stars(setup, random, area)
    galaxies = _galaxies(setup, random, area)
    found = np.concatenate([stars, galaxies])
    found["ra"] = 360.0 * (cell + random.random(len(found))) / n_cell
    found["dec"] = np.degrees(np.arcsin(edges[0] + (edges[1] - edges[0]) * random.random(len(found))))
    found["star_id"] = (zone * 3600 + cell) * N_IN_CELL + np.arange(len(found))
    found["companion_of"] = -1
    pairs = _companions(setup, random, found[: len(stars)], len(found))
    found = np.concatenate([found, pairs])
    found.setflags(write=False)
    return found


def cone_objects(setup: Setup, ra: float, dec: float, radius_deg: float) -> NDArray[np.void]:
    """Stars and galaxies within a radius of (ra, dec) at epoch 2016.0."""
    found = np.concatenate([cell_objects(setup, *cell) for cell in cells(ra, dec, radius_deg)])
    return found[sphere.separation(ra, dec, found["ra"], found["dec"]) < radius_deg]


def _draw_mags(
    random: np.random.Generator, log_counts: NDArray[np.float64], area: float, bright: float, faint: float
) -> NDArray[np.float64]:
    """Magnitudes of a Poisson number of objects on `area` square degrees that follow the counts."""
    mag = np.linspace(bright, faint, 200)
    density = 10.0 ** np.interp(mag, _COUNT_MAG, log_counts)
    total = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2 * (mag[1] - mag[0]))])
    return np.asarray(np.interp(random.random(random.poisson(total[-1] * area)) * total[-1], total, mag))


def _set_mags(found: NDArray[np.void], mag_r: NDArray[np.float64], colors: dict[str, NDArray[np.float64]]) -> None:
    found["mag_r"] = mag_r
    found["mag_g"] = mag_r + colors["g-r"]
    found["mag_i"] = mag_r - colors["r-i"]
    found["mag_z"] = found["mag_i"] - colors["i-z"]
    found["mag_y"] = found["mag_z"] - colors["z-y"]
    # Gaia's G lies between r and i for late types; BP-RP grows nearly with g-i.
    found["mag_gaia_g"] = mag_r + 0.02 - 0.62 * colors["r-i"]
    found["gaia_bp_rp"] = 0.33 + 0.8 * (colors["g-r"] + colors["r-i"])


def _stars(setup: Setup, random: np.random.Generator, area: float) -> NDArray[np.void]:
    mag_r = _draw_mags(random, _STAR_LOG, area * setup.star_density, setup.mag_bright, setup.mag_limit)
    found = np.zeros(len(mag_r), OBJECT)
    n = len(mag_r)
    # Turn-off stars of disc and halo, and M dwarfs, which take over at the faint end.
    is_dwarf = random.random(n) < np.interp(mag_r, [14.0, 18.0, 22.0], [0.15, 0.4, 0.6])
    kind = np.clip(np.where(is_dwarf, random.normal(6.5, 1.4, n), random.normal(2.6, 1.0, n)), 0.0, 10.0)
    colors = {
        name: np.interp(kind, _TYPE, _LOCUS[name]) + random.normal(0.0, 0.02, n)
        for name in ("g-r", "r-i", "i-z", "z-y")
    }
    _set_mags(found, mag_r, colors)
    distance_kpc = np.minimum(10.0 ** (0.2 * (mag_r - np.interp(kind, _TYPE, _LOCUS["M_r"])) - 2.0), 60.0)
    speed_km_s = np.where(random.random(n) < distance_kpc / (distance_kpc + 3.0), 150.0, 35.0)  # halo, disc
    motion = random.normal(0.0, 1.0, (2, n)) * speed_km_s / 4.74 / distance_kpc  # mas/yr; 4.74 km/s = 1 au/yr
    if setup.motion:
        found["pmra_mas_yr"], found["pmdec_mas_yr"] = motion
        found["parallax_mas"] = 1.0 / distance_kpc
    found["is_variable"] = random.random(n) < setup.variable_fraction
    found["amplitude_mag"] = np.where(found["is_variable"], np.clip(random.exponential(0.15, n), 0.02, 1.0), 0.0)
    found["period_d"] = 10.0 ** random.uniform(-0.7, 1.5, n)
    found["phase"] = random.random(n)
    return found


def _galaxies(setup: Setup, random: np.random.Generator, area: float) -> NDArray[np.void]:
    mag_r = _draw_mags(random, _GALAXY_LOG, area * setup.galaxy_density, max(setup.mag_bright, 15.0), setup.mag_limit)
    n = len(mag_r)
    found = np.zeros(n, OBJECT)
    is_red = random.random(n) < np.interp(mag_r, [18.0, 24.0], [0.5, 0.15])
    middle = {"g-r": (0.45, 1.0), "r-i": (0.2, 0.45), "i-z": (0.12, 0.3), "z-y": (0.05, 0.15)}
    colors = {name: np.where(is_red, red, blue) + random.normal(0.0, 0.12, n) for name, (blue, red) in middle.items()}
    _set_mags(found, mag_r, colors)
    found["is_galaxy"] = True
    found["period_d"] = 1.0
    found["half_light_arcsec"] = 10.0 ** (-0.11 * (mag_r - 20.0) + random.normal(0.0, 0.18, n))
    found["axis_ratio"] = random.uniform(0.25, 1.0, n)
    found["angle_deg"] = random.uniform(0.0, 180.0, n)
    found["is_spheroid"] = is_red & (random.random(n) < 0.7)
    return found


def _companions(setup: Setup, random: np.random.Generator, stars: NDArray[np.void], n_before: int) -> NDArray[np.void]:
    """Second stars of the doubles: 0.3 to 3 arcsec away, up to 4 mag fainter, with the motion of the first."""
    pick = random.random(len(stars)) < setup.double_fraction
    pairs = stars[pick].copy()
    n = len(pairs)
    separation_deg = 10.0 ** random.uniform(np.log10(0.3), np.log10(3.0), n) / 3600.0
    pairs["ra"], pairs["dec"] = sphere.offset(pairs["ra"], pairs["dec"], random.uniform(0.0, 360.0, n), separation_deg)
    fainter = 4.0 * random.random(n)
    for name in (*(f"mag_{band}" for band in BANDS), "mag_gaia_g"):
        pairs[name] += fainter
    pairs["is_variable"] = False
    pairs["amplitude_mag"] = 0.0
    pairs["companion_of"] = pairs["star_id"]
    pairs["star_id"] = pairs["star_id"] // N_IN_CELL * N_IN_CELL + n_before + np.arange(n)
    return pairs
