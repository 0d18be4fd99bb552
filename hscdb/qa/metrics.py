"""Figures of merit from the rows of the qa queries: names, units, and the systematic floors."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from hscdb.qa.correlation import Correlation
    from hscdb.qa.separations import Repeatability

Rows = npt.NDArray[np.void]
_NEAR_DAY = 1.0 / 24.0  # transparency changes slowly enough over an hour that a single exposure stands out
# metric, variant, sample, visit (-1: none), ccd (-1: none), figure, unit, number it is made from
Metric = tuple[str, str, str, int, int, float, str, int]


def scatter(rows: Rows) -> Iterator[Metric]:
    """Internal rms of positions and magnitudes; where it is of all visits, also what is left without photon noise.

    floor = sqrt(rms^2 - mean error^2): the systematic part, 0 if the errors explain all.
    """
    for r in rows:
        key = (str(r["variant"]), str(r["sample"]), int(r["visit"]), int(r["ccd"]))
        n, n_mag = int(r["n_position"]), int(r["n_mag"])
        yield "internal_rms_ra", *key, r["rms_ra_mas"], "mas", n
        yield "internal_rms_dec", *key, r["rms_dec_mas"], "mas", n
        yield "internal_rms_mag", *key, r["rms_mmag"], "mmag", n_mag
        if key[2] < 0 and key[3] < 0:
            rms = np.sqrt(0.5 * (r["rms_ra_mas"] ** 2 + r["rms_dec_mas"] ** 2))
            yield "position_floor", *key, _without(rms, r["error_mas"]), "mas", n
            yield "magnitude_floor", *key, _without(r["rms_mmag"], r["error_mmag"]), "mmag", n_mag


def _without(rms: float, error: float) -> float:
    return float(np.sqrt(max(rms**2 - (error if np.isfinite(error) else 0.0) ** 2, 0.0)))


def external(rows: Rows) -> Iterator[Metric]:
    """Stars against reference stars."""
    for r in rows:
        key = (str(r["variant"]), str(r["sample"]), -1, -1)
        for name, unit, count in (
            ("median_ra", "mas", "n_position"), ("median_dec", "mas", "n_position"), ("rms_ra", "mas", "n_position"),
            ("rms_dec", "mas", "n_position"), ("median_mag", "mmag", "n_mag"), ("rms_mag", "mmag", "n_mag"),
        ):  # fmt: skip
            column = f"{name}_{unit}" if unit == "mas" else name.replace("_mag", "_mmag")
            yield f"external_{name}", *key, r[column], unit, int(r[count])


def repeatability(rows: Rows) -> Iterator[Metric]:
    """PA1, PF1, PA2 (LPM-17)."""
    for r in rows:
        key = (str(r["variant"]), str(r["sample"]), -1, -1)
        yield "PA1", *key, r["pa1_mmag"], "mmag", int(r["n_star"])
        yield "PF1", *key, r["pf1_percent"], "percent", int(r["n_obs"])
        yield "PA2", *key, r["pa2_mmag"], "mmag", int(r["n_obs"])


def separations(found: "Iterable[Repeatability]", number: int) -> Iterator[Metric]:
    """AMx, ADx, AFx (LPM-17) of distance number x."""
    for r in found:
        key = (r.variant, "all", -1, -1)
        yield f"AM{number}", *key, r.am_mas, "mas", r.n_pair
        yield f"AD{number}", *key, r.ad_mas, "mas", r.n_pair
        yield f"AF{number}", *key, r.af_percent, "percent", r.n_pair


def correlations(found: "Iterable[Correlation]") -> Iterator[Metric]:
    """Correlation of residuals within visits, gradient (E) and curl (B)."""
    for r in found:
        for mode, figure in (("e", r.e_mas2), ("b", r.b_mas2)):
            name = f"residual_xi_{mode}_{r.distance_arcmin:g}arcmin"
            yield name, r.variant, r.sample, -1, -1, figure, "mas2", r.n_pair


def zero_points(rows: Rows) -> Iterator[Metric]:
    """How much more or less than its neighbors in time each visit collected, at one exposure time.

    zero_point_offset [mmag]: zero point minus the median of the visits within an hour, negative where light was lost
    (clouds, dew, a shutter); zero_point_scatter: the robust sigma of these, after which `strange` asks.
    """
    found = [(int(visit), float(off)) for visit, off in zip(rows["visit"], _offsets(rows), strict=True)]
    known = np.array([off for _, off in found if np.isfinite(off)])
    for (visit, off), n in zip(found, rows["n_used"], strict=True):
        yield "zero_point_offset", "after", "all", visit, -1, off, "mmag", int(n) if np.isfinite(off) else 0
    sigma = 1.4826 * float(np.median(np.abs(known))) if known.size else np.nan
    yield "zero_point_scatter", "after", "all", -1, -1, sigma, "mmag", int(known.size)


def _offsets(rows: Rows) -> npt.NDArray[np.float64]:
    with np.errstate(invalid="ignore", divide="ignore"):
        zero = rows["zero_point_mag"] - 2.5 * np.log10(rows["exposure_s"])
    zero = np.where(np.isfinite(zero), zero, rows["zero_point_mag"])
    mjd, out = rows["obs_mjd"], np.full(len(rows), np.nan)
    for i in np.flatnonzero(np.isfinite(zero)):
        near = np.isfinite(zero) & (np.abs(mjd - mjd[i]) < _NEAR_DAY if np.isfinite(mjd[i]) else True)
        out[i] = 1000.0 * (zero[i] - np.median(zero[near]))
    return out


def strange(metrics: list[Metric]) -> list[tuple[int, float]]:
    """(visit, offset [mmag]) of the visits 5 sigma and 20 mmag off their neighbors, worst first."""
    sigma = next((m[5] for m in metrics if m[0] == "zero_point_scatter"), np.nan)
    limit = max(5.0 * sigma, 20.0)
    far = [(m[3], m[5]) for m in metrics if m[0] == "zero_point_offset" and abs(m[5]) > limit]
    return sorted(far, key=lambda one: -abs(one[1]))


def table(key: dict[str, int], tract: int, filter: str, metrics: list[Metric]) -> dict[str, Any]:
    """Columns of qa_metric; visit and ccd -1 stand for NULL."""
    n = len(metrics)
    columns: list[tuple[Any, ...]] = list(zip(*metrics, strict=True)) if n else [()] * 8
    none_or = [np.array([None if i < 0 else i for i in c], object) for c in columns[3:5]]
    return {
        "run_id": np.full(n, key["run_id"]), "task_id": np.full(n, key["task_id"]), "tract": np.full(n, tract),
        "filter": np.full(n, filter, object), "visit": none_or[0], "ccd": none_or[1],
        "metric": np.array(columns[0], object), "variant": np.array(columns[1], object),
        "sample": np.array(columns[2], object), "figure": np.array(columns[5], np.float64),
        "unit": np.array(columns[6], object), "n_used": np.array(columns[7], np.int64),
    }  # fmt: skip
