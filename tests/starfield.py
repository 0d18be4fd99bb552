"""Frames whose sources are known: stars of a varying Moffat PSF, galaxies, cosmic rays, sky; for tests and bench."""

from dataclasses import dataclass

import numba
import numpy as np

from hscdb.image.plane import Image

BETA = 3.0
READ_NOISE = 5.0
N_SUB = 3


@dataclass(frozen=True)
class Field:
    """image: what detect gets; x, y, flux, is_star: the truth; model: its noiseless sources; cosmic: charge of hits."""

    image: Image
    x: np.ndarray
    y: np.ndarray
    flux: np.ndarray
    is_star: np.ndarray
    model: np.ndarray
    cosmic: np.ndarray
    sky: float


@numba.njit(nogil=True, cache=True)
def _add(image, x, y, flux, form, half):
    """Add Moffats of covariance-like form (xx, yy, xy; FWHM^2), integrated over 3 x 3 points of each pixel."""
    ny, nx = image.shape
    for k in range(len(x)):
        ix = int(np.floor(x[k] + 0.5))
        iy = int(np.floor(y[k] + 0.5))
        det = form[k, 0] * form[k, 1] - form[k, 2] ** 2
        a = form[k, 1] / det
        b = form[k, 0] / det
        c = -form[k, 2] / det
        shape = 4.0 * (2.0 ** (1.0 / BETA) - 1.0)
        amplitude = flux[k] * (BETA - 1.0) * shape / (np.pi * np.sqrt(det)) / N_SUB**2
        for j in range(max(0, iy - half[k]), min(ny, iy + half[k] + 1)):
            for i in range(max(0, ix - half[k]), min(nx, ix + half[k] + 1)):
                total = 0.0
                for sj in range(N_SUB):
                    dy = j - y[k] + (sj - 1.0) / N_SUB
                    for si in range(N_SUB):
                        dx = i - x[k] + (si - 1.0) / N_SUB
                        q = 1.0 + shape * (a * dx * dx + b * dy * dy + 2 * c * dx * dy)
                        total += 1.0 / (q * q * q)
                image[j, i] += amplitude * total


def psf_form(x, y, shape, fwhm, is_varying):
    """(n, 3) form of the PSF: FWHM changes by 10 %, ellipticity by 3 % over the frame."""
    u, v = 2 * x / shape[1] - 1, 2 * y / shape[0] - 1
    change = float(is_varying)
    width2 = (fwhm * (1 + change * (0.05 * u + 0.04 * v * v - 0.03 * u * v))) ** 2
    e1, e2 = change * 0.03 * u, change * 0.03 * v
    return np.stack([width2 * (1 + e1), width2 * (1 - e1), width2 * e2], axis=1)


def noise_flux(fwhm: float, sky: float) -> float:
    """Flux of a star of S/N 1 on empty sky, under its PSF."""
    stamp = np.zeros((61, 61))
    one = np.array([30.0])
    _add(stamp, one, one, np.array([1.0]), np.array([[fwhm**2, fwhm**2, 0.0]]), np.array([30]))
    return float(np.sqrt(sky + READ_NOISE**2) / np.sqrt(np.sum(stamp**2)))


def make(
    shape, x, y, flux, is_star, *, fwhm=3.9, sky=3000.0, seed=0, n_cosmic=0, is_varying=True, galaxy_size=3.0
) -> Field:
    """Draw a frame with sources at (x, y); galaxies are the PSF broadened by a random ellipse of about galaxy_size."""
    rng = np.random.default_rng(seed)
    x, y, flux, is_star = (np.asarray(a) for a in (x, y, flux, is_star))
    form = psf_form(x, y, shape, fwhm, is_varying)
    n = len(x)
    size2 = (galaxy_size * rng.lognormal(0.0, 0.4, n)) ** 2
    e = np.clip(rng.normal(0.0, 0.25, (n, 2)), -0.6, 0.6)
    wide = size2[:, None] * np.stack([1 + e[:, 0], 1 - e[:, 0], e[:, 1]], axis=1)
    form = form + np.where(is_star, 0.0, 1.0)[:, None] * wide
    width = np.sqrt(form[:, :2].max(axis=1))
    # to where the wing falls to a tenth of the sky noise
    half = np.ceil(width * np.clip((flux / np.sqrt(sky)) ** (1 / 6), 2.0, 12.0)).astype(np.int64)
    model = np.zeros(shape)
    _add(model, x, y, flux, form, half)
    tilt = 1 + 0.03 * np.linspace(0, 1, shape[1])[None, :] + 0.02 * np.linspace(0, 1, shape[0])[:, None] ** 2
    cosmic = cosmic_rays(shape, n_cosmic, rng)
    expected = model + sky * tilt
    if model.size > 1e6:  # Gaussian photon noise is exact enough there and ten times as fast
        data = expected + np.sqrt(expected + READ_NOISE**2) * rng.standard_normal(shape, dtype=np.float32)
    else:
        data = rng.poisson(expected) + rng.normal(0.0, READ_NOISE, shape)
    data = data + cosmic
    variance = np.maximum(data, 1.0) + READ_NOISE**2
    image = Image(data.astype(np.float32), variance.astype(np.float32), np.zeros(shape, np.int32))
    return Field(image, x, y, flux, is_star, model, cosmic, sky)


def cosmic_rays(shape, n, rng):
    """Tracks of 1 to 40 pixels with 300 to 3000 electrons per pixel, two pixels wide for one in four."""
    out = np.zeros(shape)
    for _ in range(n):
        length, angle = min(rng.exponential(7.0) + 1, 40.0), rng.uniform(0, 2 * np.pi)
        charge = rng.lognormal(np.log(900.0), 0.6)
        x0, y0 = rng.uniform(0, shape[1]), rng.uniform(0, shape[0])
        n_step = int(length * 20)
        steps = np.linspace(0, length, n_step)
        offset = rng.uniform(0, 0.6) if rng.uniform() < 0.25 else 0.0
        for side in (-offset, offset):
            i = np.floor(x0 + steps * np.cos(angle) + side * np.sin(angle)).astype(int)
            j = np.floor(y0 + steps * np.sin(angle) - side * np.cos(angle)).astype(int)
            inside = (i >= 0) & (i < shape[1]) & (j >= 0) & (j < shape[0])
            np.add.at(out, (j[inside], i[inside]), 0.5 * charge * length / n_step)
    return out


def grid(shape, pitch, snr, *, fwhm=3.9, sky=3000.0, seed=0, **more) -> Field:
    """Lonely stars, one in each cell of `pitch` pixels, S/N drawn evenly in its logarithm from the range snr."""
    rng = np.random.default_rng(1000 + seed)
    y, x = (a.ravel() for a in np.meshgrid(*(np.arange(pitch / 2, s - pitch / 4, pitch) for s in shape), indexing="ij"))
    x, y = x + rng.uniform(-3, 3, len(x)), y + rng.uniform(-3, 3, len(y))
    flux = noise_flux(fwhm, sky) * np.exp(rng.uniform(*np.log(snr), len(x)))
    return make(shape, x, y, flux, np.ones(len(x), bool), fwhm=fwhm, sky=sky, seed=seed, **more)


def crowd(shape, n_star, n_galaxy, *, fwhm=3.9, sky=3000.0, seed=0, snr_min=3.0, **more) -> Field:
    """Stars and galaxies anywhere, numbers falling as flux^-0.8 (stars to S/N 1000, galaxies to 300)."""
    rng = np.random.default_rng(2000 + seed)
    n = n_star + n_galaxy
    is_star = np.arange(n) < n_star
    top = np.where(is_star, 1000.0, 300.0) ** -0.8
    snr = (snr_min**-0.8 - rng.uniform(0, 1, n) * (snr_min**-0.8 - top)) ** (-1 / 0.8)
    x, y = rng.uniform(0, shape[1] - 1, n), rng.uniform(0, shape[0] - 1, n)
    return make(shape, x, y, snr * noise_flux(fwhm, sky), is_star, fwhm=fwhm, sky=sky, seed=seed, **more)
