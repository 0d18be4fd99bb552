"""How well detect measures what a simulated HSC CCD holds, beside SExtractor with PSFEx's PSF on the same pixels.

python tests/bench/bench_quality.py [--work DIR] [--visits 2] [--more 0] [--fields 1] [--set NAME=VALUE ...] [--json]

Raw frames of `hscdb simulate` go through master and isr; detect and SExtractor get the same postISRCCD. SExtractor has
no finder of cosmic rays: it gets the pixels with ours filled (--rays: with them), which favours it. Truth decides:

- completeness by magnitude where SExtractor's threshold is such that as many of its detections are real as of ours;
- scatter of star magnitudes (PSF, 12-pix aperture) and of places, those over the Cramer-Rao bound of the true profile;
- pulls of fluxes, place and shape by S/N, of what is found and at all true places; bias towards saturation, and what is
  found near saturated stars that is not there; area under the curve of star/galaxy separation.

Scatter is 1.4826 MAD about the median; a star counts where both have it and neither flags its pixels.
"""

import argparse
import itertools
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("NUMBA_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
import peer
from judge import auc, matched, scatter
from numpy.lib import recfunctions
from quality_frame import SPOILT, Frame, prepare, reach
from quality_pulls import bright_end, forced, near_saturated, pulls
from scipy.spatial import cKDTree

from hscdb.image import mask as planes

# blends, saturation, truncation: SExtractor's 4, 8, 16; our mask's BAD, SAT, SUSPECT, NO_DATA in IMAFLAGS_ISO
THEIR_FLAGS, THEIR_PLANES = 4 + 8 + 16, int(planes.word("BAD", "SAT", "SUSPECT", "NO_DATA"))
MAG_EDGES = np.arange(17.0, 25.01, 0.5)
Places = list[tuple[np.ndarray, np.ndarray]]  # (x, y) of each frame


def real_part(frames: list[Frame], places: Places) -> tuple[float, int]:
    """Part of the detections on clear ground that lie within 2.5 pix of something true; and their number."""
    n = real = 0
    for one, (x, y) in zip(frames, places, strict=True):
        clear = one.is_clear(x, y)
        truth = np.stack([one.truth["x"], one.truth["y"]], 1)
        apart, near = cKDTree(truth).query(np.stack([x[clear], y[clear]], 1))
        n += int(clear.sum())
        # in the halo of what is large or bright everything is within reach of it
        real += int(((apart < 2.5) | (apart < 0.5 * reach(one, near))).sum())
    return real / max(n, 1), n


def counts(frames: list[Frame], chosen: list[np.ndarray]) -> np.ndarray:
    """True sources on clear ground that are chosen, by magnitude."""
    return np.asarray(
        sum(np.histogram(one.mag[one.ok & some], MAG_EDGES)[0] for one, some in zip(frames, chosen, strict=True))
    )


def compare(frames: list[Frame], ours: Places, theirs: Places) -> list[dict[str, Any]]:
    """Part of the true sources on clear ground that either finds, by magnitude.

    The difference is (a - b) / n, a and b being those that only one finds; its error sqrt(a + b) / n, 1 / n at least.
    """
    found = [
        [matched(one.truth, x, y) >= 0 for one, (x, y) in zip(frames, places, strict=True)] for places in (ours, theirs)
    ]
    n = counts(frames, [np.ones(len(one.mag), bool) for one in frames])
    we, they = (counts(frames, some) for some in found)
    only_we = counts(frames, [a & ~b for a, b in zip(*found, strict=True)])
    only_they = counts(frames, [b & ~a for a, b in zip(*found, strict=True)])
    return [
        {
            "mag": middle, "n": int(n[k]), "ours": round(we[k] / n[k], 3), "sextractor": round(they[k] / n[k], 3),
            "only ours": int(only_we[k]), "only theirs": int(only_they[k]),
            "difference": round((only_we[k] - only_they[k]) / n[k], 4),
            "+-": round(np.sqrt(max(only_we[k] + only_they[k], 1)) / n[k], 4),
        }
        for k, middle in enumerate(MAG_EDGES[:-1] + 0.25)
        if n[k]
    ]  # fmt: skip


def completeness(frames: list[Frame]) -> dict[str, Any]:
    """Completeness by magnitude at equal purity: SExtractor's at its thresholds, ours cut in S/N to be as pure."""
    ours = [(one.ours["x"], one.ours["y"]) for one in frames]
    pure, n = real_part(frames, ours)
    result: dict[str, Any] = {"purity": round(pure, 4), "n": n, "at": {}}
    for threshold in frames[0].peer:
        theirs = [(t["X_IMAGE"] - 1.0, t["Y_IMAGE"] - 1.0) for t in (one.peer[threshold] for one in frames)]
        wanted, n_theirs = real_part(frames, theirs)
        for cut in np.arange(0.0, 12.0, 0.1):
            chosen = [_above(one, cut) for one in frames]
            reached, n_ours = real_part(frames, chosen)
            if reached >= wanted:
                break
        result["at"][threshold] = {
            "purity": round(wanted, 4), "n": n_theirs, "our cut": round(float(cut), 1), "our purity": round(reached, 4),
            "our n": n_ours, "by magnitude": compare(frames, chosen, theirs),
        }  # fmt: skip
    return result


def _above(one: Frame, cut: float) -> tuple[np.ndarray, np.ndarray]:
    """Places of our sources whose PSF flux has at least this S/N."""
    with np.errstate(invalid="ignore"):
        chosen = (one.ours["psf_flux"] >= cut * one.ours["psf_flux_err"]) | (cut == 0.0)
    return one.ours["x"][chosen], one.ours["y"][chosen]


def stars(frames: list[Frame]) -> np.ndarray:
    """One row per true star on clear ground that we found and did not flag; NaN where SExtractor has none."""
    rows = []
    for one in frames:
        k = one.index
        chosen = one.ok & ~one.truth["is_galaxy"] & (k >= 0)
        chosen &= (one.ours["flags"][k] & SPOILT) == 0
        t, k = one.truth[chosen], k[chosen]
        columns = {
            "mag": one.mag[chosen], "snr": one.true_snr[chosen], "true": one.expected[chosen],
            "bound": one.bound[chosen], "peak": t["peak_e"],
            "lonely": one.lonely[chosen],
        }  # fmt: skip
        for name in ("x", "y"):
            columns[f"d{name}"] = one.ours[name][k] - t[name]
            columns[f"d{name}_err"] = one.ours[f"{name}_err"][k]
        for name in ("psf_flux", "aper12", "kron_flux", "gauss_flux"):
            columns[name], columns[f"{name}_err"] = one.ours[name][k], one.ours[f"{name}_err"][k]
        moments = one.measured.psf.moments(t["x"].astype(float), t["y"].astype(float))
        for axis, name in enumerate(("ixx", "iyy", "ixy")):
            columns[f"d{name}"] = one.ours[name][k] - moments[:, axis]
            columns[f"d{name}_err"] = one.ours[f"{name}_err"][k]
        columns |= {f"s_{name}": values for name, values in _theirs(one, chosen).items()}
        # transparency and the like: each catalog has a zero point of its own on each frame
        good = (columns["snr"] > 100) & (columns["peak"] < 30_000)
        for side in ("", "s_"):
            if np.isfinite(columns[f"{side}psf_flux"][good]).any():
                zero = float(np.nanmedian(columns[f"{side}psf_flux"][good] / columns["true"][good]))
                mine = () if side else ("gauss_flux", "gauss_flux_err", "kron_flux", "kron_flux_err")
                for name in ("psf_flux", "psf_flux_err", "aper12", "aper12_err", *mine):
                    columns[side + name] = columns[side + name] / zero
        rows.append(np.rec.fromarrays(list(columns.values()), names=list(columns)))
    return recfunctions.stack_arrays(rows, usemask=False, asrecarray=True)


def _theirs(one: Frame, chosen: np.ndarray) -> dict[str, np.ndarray]:
    """SExtractor's measurement (threshold 1.5) of the chosen true sources; NaN where there is none or it is flagged."""
    n = int(chosen.sum())
    names = ("psf_flux", "psf_flux_err", "aper12", "aper12_err", "dx", "dy", "dx_err", "spread")
    if one.full is None:
        return dict.fromkeys(names, np.full(n, np.nan))
    t = one.full
    k = matched(one.truth, t["XWIN_IMAGE"] - 1, t["YWIN_IMAGE"] - 1)[chosen]
    good = (k >= 0) & ((t["FLAGS"][k] & THEIR_FLAGS) == 0) & ((t["IMAFLAGS_ISO"][k] & THEIR_PLANES) == 0)
    truth = one.truth[chosen]
    values = {
        "psf_flux": t["FLUX_PSF"][k], "psf_flux_err": t["FLUXERR_PSF"][k], "aper12": t["FLUX_APER"][k, 4],
        "aper12_err": t["FLUXERR_APER"][k, 4], "dx": t["XWIN_IMAGE"][k] - 1 - truth["x"],
        "dy": t["YWIN_IMAGE"][k] - 1 - truth["y"], "dx_err": np.sqrt(t["ERRX2WIN_IMAGE"][k]),
        "spread": t["SPREAD_MODEL"][k],
    }  # fmt: skip
    return {name: np.where(good, column, np.nan).astype(float) for name, column in values.items()}


def photometry(s: np.ndarray) -> list[dict[str, Any]]:
    """Scatter of magnitudes [mmag] and places [mpix] by magnitude; ours, SExtractor's, the bound."""
    both = np.isfinite(s.s_psf_flux) & (s.s_psf_flux > 0) & (s.s_aper12 > 0) & (s.psf_flux > 0) & (s.aper12 > 0)
    both = both if both.any() else s.psf_flux > 0
    table = []
    for low, high in itertools.pairwise(MAG_EDGES):
        here = s[both & (s.mag >= low) & (s.mag < high)]
        if len(here) < 8:
            continue
        row: dict[str, Any] = {"mag": low + 0.25, "n": len(here), "snr": round(float(np.median(here.snr)), 1)}
        with np.errstate(invalid="ignore"):
            for name in ("psf_flux", "aper12"):
                for side in ("", "s_"):
                    residual = -2.5 * np.log10(here[side + name] / here.true)
                    row[f"{side}{name}"] = round(1000 * scatter(residual), 2)
                    row[f"{side}{name} off"] = round(1000 * float(np.nanmedian(residual)), 2)
                row[f"{name} ratio"] = _ratio(here, name)
        for side in ("", "s_"):
            row[f"{side}place"] = round(1000 * scatter(np.concatenate([here[side + "dx"], here[side + "dy"]])), 2)
            row[f"{side}place/bound"] = round(
                scatter(np.concatenate([here[side + "dx"] / here.bound, here[side + "dy"] / here.bound])), 3
            )
        table.append(row)
    return table


def _ratio(here: np.ndarray, name: str) -> str:
    """Our scatter over SExtractor's of the same stars, with its error by drawing the stars anew 300 times."""
    ours, theirs = (-2.5 * np.log10(here[side + name] / here.true) for side in ("", "s_"))
    if not np.isfinite(theirs).any():
        return "-"
    rng = np.random.default_rng(1)
    draws = [rng.integers(0, len(here), len(here)) for _ in range(300)]
    error = np.std([scatter(ours[draw]) / scatter(theirs[draw]) for draw in draws])
    return f"{scatter(ours) / scatter(theirs):.3f}+-{error:.3f}"


def separation(frames: list[Frame]) -> list[dict[str, Any]]:
    """Area under the curve of star/galaxy separation by magnitude: our spread, Gaussian over PSF flux; theirs."""
    names = ("mag", "galaxy", "ours", "gauss/psf", "spread", "class")
    score: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for one in frames:
        k = one.index
        chosen = one.ok & (k >= 0)
        chosen &= ((one.ours["flags"][k] & SPOILT) == 0) & np.isfinite(one.ours["gauss_flux"][k])
        t = one.full
        if t is not None:
            m = matched(one.truth, t["XWIN_IMAGE"] - 1, t["YWIN_IMAGE"] - 1)
            chosen &= (m >= 0) & ((t["FLAGS"][m] & THEIR_FLAGS) == 0)
            score["spread"].append(t["SPREAD_MODEL"][m][chosen])
            score["class"].append(-t["CLASS_STAR"][m][chosen])
        score["mag"].append(one.mag[chosen])
        score["galaxy"].append(one.truth["is_galaxy"][chosen])
        score["ours"].append(one.ours["spread"][k][chosen])
        score["gauss/psf"].append((one.ours["gauss_flux"] / one.ours["psf_flux"])[k][chosen])
    joined = {name: np.concatenate(values) for name, values in score.items() if values}
    table = []
    for low, high in ((17, 21), (21, 22), (22, 23), (23, 24), (24, 25), (17, 25)):
        here = (joined["mag"] >= low) & (joined["mag"] < high)
        galaxy = joined["galaxy"][here]
        if galaxy.sum() < 5 or (~galaxy).sum() < 5:
            continue
        row = {"mag": f"{low}-{high}", "n star": int((~galaxy).sum()), "n galaxy": int(galaxy.sum())}
        row |= {name: round(auc(joined[name][here], galaxy), 4) for name in joined if name not in ("mag", "galaxy")}
        table.append(row)
    return table


def show(title: str, table: list[dict[str, Any]]) -> None:
    """A table on the screen."""
    print(f"\n{title}")
    if table:
        print("  ".join(f"{name:>14}" for name in table[0]))
    for row in table:
        print("  ".join(f"{value!s:>14}" for value in row.values()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, help="folder to keep the frames in, or to find them in")
    parser.add_argument("--visits", type=int, default=2)
    parser.add_argument("--more", type=int, default=0, help="visits of which SExtractor only tells what it finds")
    parser.add_argument("--fields", type=int, default=1, help="skies of that many visits each")
    parser.add_argument("--set", nargs="*", default=["star_density=12", "n_bias=5", "n_dark=5", "n_flat=5"])
    parser.add_argument("--rays", action="store_true", help="SExtractor gets the pixels with cosmic rays")
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    absent = peer.missing("sextractor", "psfex")
    if absent:
        print(f"not installed: {', '.join(absent)}; our figures stand alone", file=sys.stderr)
    with tempfile.TemporaryDirectory() as temporary:
        work = told.work or Path(temporary)
        work.mkdir(exist_ok=True)
        n_visit = told.visits + told.more
        every = []
        for field in range(told.fields):
            there = work / f"field{field}" if field else work
            prepare(there, n_visit, told.set + ([f"seed={100 + field}"] if field else []))
            every += [
                Frame(there, 902800 + 2 * k, told.rays, "full" if not field and k < told.visits else "places")
                for k in range(n_visit)
            ]
    frames = every[: told.visits]
    s, more = stars(frames), stars(every)
    complete = completeness(every)
    result = {
        "completeness": complete, "photometry": photometry(s), "separation": separation(frames),
        "pulls of lonely stars": pulls(more[more.lonely], forced(every)),
        "pulls of all stars": pulls(more, np.empty((0, 2))), "bright end": bright_end(more),
        "near saturated stars": near_saturated(every), "n_source": [len(one.rows) for one in every],
    }  # fmt: skip
    if told.json:
        print(json.dumps(result, default=lambda array: np.asarray(array).tolist()))
        return
    print(f"ours at 5 sigma: {complete['n']} sources, purity {complete['purity']}")
    for threshold in (1.5, 1.0):
        if threshold in complete["at"]:
            at = complete["at"][threshold]
            print({name: number for name, number in at.items() if np.ndim(number) == 0})
            show(f"completeness at equal purity, SExtractor at {threshold} sigma", at["by magnitude"])
    for title in ("photometry", "separation", "pulls of lonely stars", "pulls of all stars", "bright end",
                  "near saturated stars"):  # fmt: skip
        show(title, result[title])


if __name__ == "__main__":
    main()
