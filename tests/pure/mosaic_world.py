"""A small sky whose truth is known: stars seen by several dithered visits through a distorted, shifted mosaic."""

from dataclasses import dataclass

import numpy as np

from hscdb.mosaic import basis
from hscdb.mosaic.model import Geometry, Observations, References
from hscdb.mosaic.places import MAS, tangent, vectors
from hscdb.sky import earth

SCALE_PIX = 5000.0
ARCSEC = 0.2
CCD_PIX = 1000.0
ORDER = 3


@dataclass(frozen=True)
class World:
    obs: Observations
    refs: References
    geometry: Geometry
    crval: np.ndarray
    mjd: np.ndarray
    rotation: np.ndarray
    ccd_terms: np.ndarray
    zero: np.ndarray
    ccd_mag: np.ndarray
    star: np.ndarray  # unit vectors of the truth
    star_mag: np.ndarray
    pm: np.ndarray  # mas/yr


def deproject(xi: np.ndarray, eta: np.ndarray, ra: float, dec: float) -> tuple[np.ndarray, np.ndarray]:
    center, east, north = (a[0] for a in tangent(np.array([[ra, dec]])))
    v = center + np.outer(np.radians(xi), east) + np.outer(np.radians(eta), north)
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    return np.degrees(np.arctan2(v[:, 1], v[:, 0])) % 360.0, np.degrees(np.arcsin(v[:, 2]))


def build(
    seed: int = 1, ra: float = 150.0, dec: float = 2.0, n_visit: int = 5, n_star: int = 1500, noise_pix: float = 0.02,
    mag_noise: float = 0.004, ref_fraction: float = 0.3, ref_mas: float = 1.0, outliers: float = 0.0,
    first_mas: float = 30.0, field_mag: float = 0.02, parallax_mas: float = 0.0,
    pm_mas_yr: float = 0.0, step_days: float = 0.0,
) -> World:  # fmt: skip
    rng = np.random.default_rng(seed)
    side = 4
    centers = (np.arange(side) - (side - 1) / 2) * 1.1 * CCD_PIX * 2
    sx, sy = rng.uniform(-5500, 5500, (2, n_star))
    star_ra, star_dec = deproject(sx * ARCSEC / 3600, sy * ARCSEC / 3600, ra, dec)
    place, star_mag = vectors(star_ra, star_dec), rng.uniform(17, 21, n_star)
    terms = np.stack([rng.normal(0, 0.2, side**2), rng.normal(0, 0.2, side**2), rng.normal(0, 1e-4, side**2)], axis=1)
    zero, ccd_mag = rng.normal(27, 0.1, n_visit), rng.normal(0, 0.01, side**2)
    ccd_mag -= ccd_mag.mean()
    crval = np.stack(
        [ra + rng.normal(0, 0.05, n_visit) / np.cos(np.radians(dec)), dec + rng.normal(0, 0.03, n_visit)], axis=1
    )
    crval[:, 1] = np.clip(crval[:, 1], -89.9999, 89.9999)
    mjd = 57000.0 + (40.0 * np.arange(n_visit) if parallax_mas else np.zeros(n_visit))
    mjd = mjd + step_days * (np.arange(n_visit) - (n_visit - 1) / 2)
    pm = np.random.default_rng(seed + 1000).normal(0.0, pm_mas_yr, (n_star, 2)) if pm_mas_yr else np.zeros((n_star, 2))
    _, to_east, to_north = tangent(np.stack([star_ra, star_dec], axis=1))
    parallax = parallax_mas * rng.exponential(size=n_star) if parallax_mas else np.zeros(n_star)
    columns = []
    for e in range(n_visit):
        center, east, north = (a[0] for a in tangent(crval[e : e + 1]))
        seen_at = place - (parallax[:, None] / 3.6e6 / 180.0 * np.pi) * earth.place(mjd[e])
        moved = pm * (mjd[e] - 57000.0) / 365.25 / MAS
        seen_at = seen_at + moved[:, :1] * to_east + moved[:, 1:] * to_north
        depth = seen_at @ center
        xi, eta = (np.degrees(seen_at @ axis / depth) * 3600 / ARCSEC for axis in (east, north))
        warp = rng.normal(0, 0.5, (2, basis.n_terms(ORDER)))
        design = basis.matrix(ORDER, xi / SCALE_PIX, eta / SCALE_PIX)
        fx, fy = xi - design @ warp[0], eta - design @ warp[1]
        i, j = (np.rint(f / (2.2 * CCD_PIX) + (side - 1) / 2).astype(int) for f in (fx, fy))
        k = np.flatnonzero((i >= 0) & (i < side) & (j >= 0) & (j < side))
        k = k[(np.abs(fx[k] - centers[i[k]]) < CCD_PIX) & (np.abs(fy[k] - centers[j[k]]) < CCD_PIX)]
        c = i[k] * side + j[k]
        x, y = fx[k] - centers[i[k]] - terms[c, 0], fy[k] - centers[j[k]] - terms[c, 1]
        x, y = x + terms[c, 2] * y, y - terms[c, 2] * x
        x, y = x + rng.normal(0, noise_pix, k.size), y + rng.normal(0, noise_pix, k.size)
        u, v = centers[i[k]] + x, centers[j[k]] + y
        mag = star_mag[k] - zero[e] - ccd_mag[c] - field_mag * (u / SCALE_PIX) ** 2 + rng.normal(0, mag_noise, k.size)
        first = rng.normal(0, first_mas / 3.6e6, (2, k.size))
        columns.append((k, np.full(k.size, e), c, x, y, u, v, star_ra[k] + first[0] / np.cos(np.radians(star_dec[k])),
                        star_dec[k] + first[1], mag))  # fmt: skip
    cat = [np.concatenate(column) for column in zip(*columns, strict=True)]
    seen = np.bincount(cat[0], minlength=n_star)[cat[0]] >= 2
    order = np.argsort(cat[0][seen], kind="stable")
    cat = [column[seen][order] for column in cat]
    stars, star = np.unique(cat[0], return_inverse=True)
    n = star.size
    bad = rng.random(n) < outliers
    x, u = cat[3] + bad * rng.normal(0, 5, n), cat[5]
    u = u + x - cat[3]
    mag = cat[9] + bad * rng.normal(0, 0.3, n)
    obs = Observations(
        stars, np.arange(n_visit), np.arange(side**2), star, cat[1], cat[2], x, cat[4],
        np.tile([noise_pix**2, 0.0, noise_pix**2], (n, 1)), cat[7] % 360.0, cat[8], mag, np.full(n, mag_noise),
        (stars % 10 == 0)[star], np.full(n, "", object),
    )  # fmt: skip
    geometry = Geometry(
        u, cat[6], u, cat[6], np.tile(np.eye(2), (n, 1, 1)), np.stack([x, cat[4]], axis=1), SCALE_PIX, ARCSEC,
        SCALE_PIX,
    )
    known = rng.random(stars.size) < ref_fraction
    shift = rng.normal(0, ref_mas / 3.6e6, (2, stars.size))
    refs = References(
        np.where(known, (star_ra[stars] + shift[0] / np.cos(np.radians(star_dec[stars]))) % 360.0, np.nan),
        np.where(known, star_dec[stars] + shift[1], np.nan), np.where(known, 57000.0, np.nan),
        np.tile([ref_mas**2, 0.0, ref_mas**2], (stars.size, 1)), np.where(known[:, None], pm[stars], 0.0),
        np.where(known, star_mag[stars] + rng.normal(0, 0.02, stars.size), np.nan), np.where(known, 0.02, np.nan),
        parallax[stars],
    )  # fmt: skip
    return World(
        obs, refs, geometry, crval, mjd, np.tile(np.eye(2), (side**2, 1, 1)), terms, zero,
        ccd_mag, place[stars], star_mag[stars], pm[stars],
    )  # fmt: skip
