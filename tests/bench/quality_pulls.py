"""Pulls of simulated stars by S/N, the bright end, and what is found near saturated stars that is not there."""

from typing import Any

import numpy as np
from judge import scatter
from quality_frame import SPOILT, Frame, reach
from scipy.spatial import cKDTree
from scipy.stats import truncnorm

from hscdb.detect.psf_flux import psf_flux
from hscdb.image import flags as bits
from hscdb.image import mask as planes

BINS = ((5, 7), (7, 10), (10, 20), (20, 50), (50, 100), (100, 200), (200, 500), (500, 1000))
REJECT = int(planes.word("BAD", "SAT", "CR", "NO_DATA", "UNMASKEDNAN"))
HALO = 120.0  # pix, about 20 arcsec


def forced(frames: list[Frame]) -> np.ndarray:
    """(S/N, pull of the PSF flux at the true place) of all lonely true stars on clear ground, found or not.

    What is found near the threshold is what noise has helped over it: the flux of that is no sample of the noise.
    """
    rows, pair = [], np.empty(2)
    for one in frames:
        image, grid = one.measured.image, one.sky_variance()
        chosen = np.flatnonzero(one.ok & one.lonely & ~one.truth["is_galaxy"] & (one.true_snr < 500))
        x, y = (one.truth[name][chosen].astype(float) for name in ("x", "y"))
        factor = one.measured.corrections["psf_flux"].at(x, y)
        flux, error = np.full(len(x), np.nan), np.full(len(x), np.nan)
        for k in range(len(x)):
            stamp, x0, y0 = one.measured.psf.image(x[k], y[k])
            half = stamp.shape[0] // 2
            if psf_flux(
                image.data, image.variance, image.mask, REJECT, stamp, grid, 1.0, x0 + half, y0 + half, pair
            ):
                flux[k], error[k] = pair * factor[k]
        true, snr = one.expected[chosen], one.true_snr[chosen]
        bright = snr > 100
        zero = np.nanmedian(flux[bright] / true[bright])
        rows.append(np.stack([snr, (flux / zero - true) / (error / zero)], axis=1))
    return np.concatenate(rows)


def truncated(snr: np.ndarray, threshold: float = 5.0) -> float:
    """Width (MAD) of the pulls of perfect errors where only what exceeds `threshold` sigma is seen; snr: true ones."""
    deep = snr[:, None] * np.ones(200)
    draw = truncnorm.rvs(threshold - deep, np.inf, random_state=np.random.default_rng(1))
    # each star as often as it is seen: the sample given has been selected so already
    return scatter(draw.ravel())


def pulls(s: np.ndarray, at_truth: np.ndarray) -> list[dict[str, Any]]:
    """Width (MAD) and median of (measured - true) / error by S/N; at_truth: see forced.

    Shapes are held against those of the PSF model. n: stars, twice as many places, three times as many moments; a width
    is known to 1.17 / sqrt(n) of itself.
    """
    table = []
    for low, high in BINS:
        here = s[(s.snr >= low) & (s.snr < high)]
        if len(here) < 8:
            continue
        flux = (here.psf_flux - here.true) / here.psf_flux_err
        place = np.concatenate([here.dx / here.dx_err, here.dy / here.dy_err])
        aper, gauss, kron = (
            (here[name] - here.true) / here[f"{name}_err"] for name in ("aper12", "gauss_flux", "kron_flux")
        )
        shape = np.concatenate([here[f"d{name}"] / here[f"d{name}_err"] for name in ("ixx", "iyy", "ixy")])
        bound = np.concatenate([here.dx / here.bound, here.dy / here.bound])
        pull = at_truth[(at_truth[:, 0] >= low) & (at_truth[:, 0] < high), 1]
        table.append({
            "snr": f"{low}-{high}", "n": len(here), "flux": round(scatter(flux), 3),
            "if perfect": round(truncated(here.snr), 3), "flux off": round(float(np.median(flux)), 2),
            "n forced": len(pull), "forced": round(scatter(pull), 3) if len(pull) else float("nan"),
            "forced off": round(float(np.nanmedian(pull)), 2) if len(pull) else float("nan"),
            "place": round(scatter(place), 3), "place/bound": round(scatter(bound), 3),
            "aper12": round(scatter(aper), 3), "gauss": round(scatter(gauss), 3), "kron": round(scatter(kron), 3),
            "shape": round(scatter(shape), 3), "shape off": round(float(np.nanmedian(shape)), 2),
            "s_place": round(scatter(here.s_dx / here.s_dx_err), 3),
            "s_flux": round(scatter((here.s_psf_flux - here.true) / here.s_psf_flux_err), 3),
        })  # fmt: skip
    return table


def bright_end(s: np.ndarray) -> list[dict[str, Any]]:
    """Bias [mmag] of the PSF magnitude from saturation to 3 mag below, over S/N > 100 of small peaks."""
    near = s[(s.snr > 100) & (s.peak < 30_000)]
    zero, zero12 = (np.median(-2.5 * np.log10(near[name] / near.true)) for name in ("psf_flux", "aper12"))
    table = []
    top = s.mag.min()
    for low in np.arange(top, top + 4, 0.5):
        here = s[(s.mag >= low) & (s.mag < low + 0.5)]
        if len(here) < 4:
            continue
        residual = -2.5 * np.log10(here.psf_flux / here.true) - zero
        aper = -2.5 * np.log10(here.aper12 / here.true) - zero12
        table.append({
            "mag": round(low + 0.25, 2), "n": len(here), "peak_e": int(np.median(here.peak)),
            "bias": round(1000 * float(np.median(residual)), 2),
            "+-": round(1253 * scatter(residual) / np.sqrt(len(here)), 2),
            "aper12 bias": round(1000 * float(np.median(aper)), 2),
        })  # fmt: skip
    return table


def near_saturated(frames: list[Frame]) -> list[dict[str, Any]]:
    """Rows without a spoilt pixel within HALO of a saturated star and away from them; those that are nothing true.

    Nothing true: no true source within 2.5 pix, nor within the reach of a galaxy. For all such rows, and for those
    without the flag `doubtful`: then with the number of true sources that it takes away.
    """
    table, near, nothing, is_flagged = [], [], [], []
    for one in frames:
        x, y = one.ours["x"], one.ours["y"]
        clean = one.is_clear(x, y) & ((one.ours["flags"] & SPOILT) == 0)
        truth = np.stack([one.truth["x"], one.truth["y"]], 1)
        ny, nx = one.image.shape
        i, j = (np.clip(np.rint(truth[:, axis]), 0, side - 1).astype(int) for axis, side in ((0, nx), (1, ny)))
        saturated = (one.image.mask[j, i] & planes.SAT) != 0
        saturated &= one.truth["peak_e"] > 50_000  # a faint star under a bleeding trail has no halo
        if not saturated.any():
            continue
        here = np.stack([x, y], 1)[clean]
        near.append(cKDTree(truth[saturated]).query(here)[0] < HALO)
        apart, k = cKDTree(truth).query(here)
        nothing.append((apart >= 2.5) & (apart >= 0.5 * reach(one, k)))
        is_flagged.append((one.ours["flags"][clean] & bits.word("doubtful")) != 0)
    close, empty, doubted = (np.concatenate(parts) for parts in (near, nothing, is_flagged))
    for place, here in ((f"< {HALO:.0f} pix", close), ("elsewhere", ~close)):
        for which, chosen in (("all", here), ("not doubtful", here & ~doubted)):
            n, n_nothing = int(chosen.sum()), int((chosen & empty).sum())
            table.append({
                "place": place, "rows": which, "n": n, "nothing": n_nothing,
                "per 1000": round(1e3 * n_nothing / max(n, 1), 2),
                "+-": round(1e3 * np.sqrt(max(n_nothing, 1)) / max(n, 1), 2),
                "true lost": int((here & ~empty).sum() - (chosen & ~empty).sum()),
            })  # fmt: skip
    return table
