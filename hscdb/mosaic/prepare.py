"""What takes part in a joint solution: visits that hang together, their tangent points, known proper motions."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np

from hscdb.camera.model import Camera
from hscdb.errors import ConfigError, DataError
from hscdb.mosaic import robust
from hscdb.mosaic.model import Bools, Floats, Ints, Observations, References
from hscdb.mosaic.places import tangent, vectors
from hscdb.sky import earth

_MJD_ZERO = date(1858, 11, 17)
_ORDER_MAX = 12  # 91 terms: more than any distortion needs, and Chebyshev sums are still exact to 1e-13
_CCD_ORDER_MAX = 5  # 42 terms of a CCD; a TAN-SIP of order 5 holds them


def check(
    astrometry_order: int | None, flux_order: int, flux_visit_order: int, ccd_order: int
) -> None:  # fmt: skip
    """ConfigError `bad_setting` for orders that make no model: without linear terms all stars lie at one point."""
    for name, order, least, most in (
        ("astrometry_order", astrometry_order, 1, _ORDER_MAX), ("flux_order", flux_order, 0, _ORDER_MAX),
        ("flux_visit_order", flux_visit_order, 0, _ORDER_MAX), ("ccd_order", ccd_order, 0, _CCD_ORDER_MAX),
    ):  # fmt: skip
        if order is not None and not least <= order <= most:
            raise ConfigError(
                f"mosaic.{name} = {order}: out of range ({least} to {most} needed). Give another order.",
                code="bad_setting",
            )


def epochs(dates: Sequence[str]) -> Floats:
    """Sorted MJDs of ISO dates at which CCDs were changed. ConfigError `bad_setting` for what is no date."""
    try:
        days = sorted(date.fromisoformat(one) for one in dates)
    except ValueError as error:
        raise ConfigError(
            f"mosaic.ccd_epochs = {', '.join(dates)}: {error}. Write dates as 2016-09-01.", code="bad_setting"
        ) from None
    return np.array([(day - _MJD_ZERO).days for day in days], np.float64)


def by_star(obs: Observations, mags: dict[int, tuple[float, float, float]]) -> tuple[Floats, Floats, Floats]:
    """(mag, mag_err, color), each (n_star,), of {star_id: (mag, mag_err, color)}; NaN where there is none."""
    none = (np.nan, np.nan, np.nan)
    every = np.array([mags.get(int(s), none) for s in obs.stars]).reshape(-1, 3)
    return every[:, 0], every[:, 1], every[:, 2]


def among(rows: Any, chosen: Any) -> Bools:
    """Which rows are of the chosen frames (visit, ccd); None: all."""
    if chosen is None:
        return np.ones(len(rows), bool)
    keys = set(zip(chosen["visit"].tolist(), chosen["ccd"].tolist(), strict=True))
    return np.fromiter((key in keys for key in zip(rows["visit"].tolist(), rows["ccd"].tolist(), strict=True)), bool)


def connected(
    who: str, n_shared_min: int, use_ambiguous: bool, seen: Any, all_frames: Any, positions: Any
) -> tuple[Any, Any, dict[str, str]]:
    """Observations and frames of the visits that hang together; the others by name with the reason.

    What may not enter a fit (reserved stars, ambiguous ones) ties nothing together.
    """
    visits = np.unique(all_frames["visit"])
    free = ~seen["is_reserved"] & (use_ambiguous | ~seen["is_ambiguous"])
    # a star counts once per visit, also where overlapping CCDs have seen it twice
    links = _pairs(seen["star_id"][free], seen["visit"][free])
    stars, star = by_rank(links[0])
    visit = np.searchsorted(visits, links[1])
    has_ref = np.isin(stars, positions["star_id"]) if positions is not None else np.zeros(stars.size, bool)
    shared = (np.bincount(star, minlength=stars.size) >= 2) | has_ref
    n_shared = np.bincount(visit[shared[star]], minlength=visits.size)
    left_out = {
        str(v): f"shares {n} usable stars with other visits or the references ({n_shared_min} needed)"
        for v, n in zip(visits, n_shared, strict=True) if n < n_shared_min
    }  # fmt: skip
    kept = np.flatnonzero(n_shared >= n_shared_min)
    if kept.size:
        k = np.isin(visit, kept)
        group = robust.connected(star[k], np.searchsorted(kept, visit[k]), has_ref, kept.size)
        left_out |= {str(v): "shares no usable star with the visits that are solved" for v in visits[kept[group > 0]]}
        kept = kept[group == 0]
    if not kept.size or (kept.size == 1 and not has_ref.any()):
        raise DataError(
            f"{who}: no visit shares stars with another one or with reference stars (visits "
            f"{', '.join(map(str, visits))}; {n_shared_min} shared stars needed). Ingest a reference catalog with "
            "`hscdb ingest-refcat`, add visits that overlap, or lower mosaic.n_shared_min.",
            code="no_overlap",
        )
    if kept.size == visits.size:  # no copy of millions of rows
        return seen, all_frames, left_out
    kept = visits[kept]
    return seen[np.isin(seen["visit"], kept)], all_frames[np.isin(all_frames["visit"], kept)], left_out


def by_rank(ids: Ints) -> tuple[Ints, Ints]:
    """As np.unique with return_inverse; without sorting where ids (n,) come sorted, as rows do by star."""
    if ids.size and (ids[1:] < ids[:-1]).any():
        found, rank = np.unique(ids, return_inverse=True)
        return found, rank
    is_new = np.ones(ids.size, bool)
    is_new[1:] = ids[1:] != ids[:-1]
    return ids[is_new], np.cumsum(is_new) - 1


def _pairs(first: Ints, second: Ints) -> tuple[Ints, Ints]:
    """The different pairs of two columns, by the first and then the second."""
    if first.size and ((first[1:] < first[:-1]) | ((first[1:] == first[:-1]) & (second[1:] < second[:-1]))).any():
        order = np.lexsort([second, first])
        first, second = first[order], second[order]
    is_new = np.ones(first.size, bool)
    is_new[1:] = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
    return first[is_new], second[is_new]


def per_visit(used: Any, obs: Observations, camera: Camera) -> dict[str, Floats]:
    """Tangent point, epoch and first zero point of each visit.

    The tangent point is the boresight where the distortion is known (that is where it is zero), else the middle of
    the visit's frames. A visit without a time gets the mean of the others: positions then stand still.
    """
    crval, mjd, zero = [], [], []
    for v in obs.visits:
        mine = used[used["visit"] == v]
        middle = vectors(mine["ra"], mine["dec"]).mean(axis=0)
        point = (
            np.degrees(np.arctan2(middle[1], middle[0])) % 360,
            np.degrees(np.arctan2(middle[2], np.hypot(*middle[:2]))),
        )
        if camera.distortion is not None and np.isfinite(mine["visit_ra"][0]):
            point = (mine["visit_ra"][0], mine["visit_dec"][0])
        crval.append(point)
        mjd.append(mine["obs_mjd"][0])
        zero.append(
            np.nanmedian(2.5 * np.log10(mine["flux_mag0_e"])) if np.isfinite(mine["flux_mag0_e"]).any() else np.nan
        )
    times = np.array(mjd)
    known = times[np.isfinite(times)]
    times = np.where(np.isfinite(times), times, known.mean() if known.size else 0.0)
    return {"crval": np.array(crval), "mjd": times, "zero": np.array(zero)}


def seeing(frames: Any, obs: Observations) -> Floats | None:
    """(n_visit, n_ccd) ln of the seeing of frames minus its visit's mean; 0 where it is not known, None: nowhere."""
    names = frames.dtype.names or ()
    known = np.isfinite(frames["seeing_arcsec"]) if "seeing_arcsec" in names else np.zeros(len(frames), bool)
    if not known.any():
        return None
    out = np.full((obs.visits.size, obs.ccds.size), np.nan)
    for row in frames[known]:
        e = int(np.searchsorted(obs.visits, row["visit"]))
        out[e, obs.ccd_of(e, int(row["ccd"]))] = np.log(row["seeing_arcsec"])
    n = np.maximum(np.isfinite(out).sum(axis=1), 1)
    return np.asarray(np.nan_to_num(out - (np.nansum(out, axis=1) / n)[:, None]))


def motion(obs: Observations, refs: References, mjd: Floats) -> Floats:
    """(n_obs, 2) displacement by known proper motion since the reference's epoch, and by its parallax [mas]."""
    years = np.nan_to_num((mjd[obs.visit] - refs.epoch_mjd[obs.star]) / 365.25)
    _, east, north = tangent(np.nan_to_num(np.stack([refs.ra, refs.dec], axis=1)))
    at = earth.place(mjd)[obs.visit]
    apart = [np.einsum("ij,ij->i", at, axis[obs.star]) for axis in (east, north)]
    return np.asarray(refs.pm[obs.star] * years[:, None] - refs.parallax[obs.star, None] * np.stack(apart, axis=1))
