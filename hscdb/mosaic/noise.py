"""How large the errors of detections really are, told by their residuals: a factor on the given ones, and a floor.

    variance = scale^2 * given + floor_e^2

The scale is one for all: it is what the faint detections say of the errors that came with them. The floor is each
visit's own: what no count of photons explains, mostly the air over a short exposure (10 to 40 mas over 20 s), and it
weighs the visits against each other. Both are measured with medians, so that outliers do not count.
"""

from dataclasses import dataclass

import numpy as np

from hscdb.mosaic import robust
from hscdb.mosaic.model import Astrometry, Bools, Floats, Ints, Observations

_N_PER_BIN = 100  # detections in a bin: its robust variance is then good to 20 %
_N_BIN = 12
_N_PER_VISIT = 40  # bright detections from which a visit has a floor of its own; the common one counts as so many
_MOST = 5.0  # common floors: a visit beyond is not noisy but wrong, and must be seen, not weighed away
_BAD = 3.0  # times its errors, floor included, that a visit's median detection may be off
_SCALES = (0.5, 10.0)  # beyond, the given errors are no errors
_N_SAMPLE = 60_000  # detections whose medians are good to 0.5 %
_LEVER = 4.0  # the given variances must differ by so much for scale and floor to be told apart


@dataclass(frozen=True)
class Noise:
    """scale: factor on the given one sigmas; floor: (n_visit,) one sigma per axis."""

    scale: float
    floor: Floats

    @property
    def typical(self) -> float:
        """The median visit's floor."""
        return float(np.median(self.floor))

    def variance(self, given: Floats, visit: Ints) -> Floats:
        """(n,) variances, or (n, 3) covariances xx, xy, yy, with scale and floor."""
        floor2 = self.floor[visit] ** 2
        if given.ndim == 1:
            return np.asarray(self.scale**2 * given + floor2)
        return np.asarray(self.scale**2 * given + floor2[:, None] * np.array([1.0, 0.0, 1.0]))

    def notes(self, visits: Ints, factor: float, unit: str) -> dict[str, object]:
        """For the solution's notes: scale, and the floor of each visit in `unit`s, `factor` of them in one of ours."""
        floors = {str(v): round(factor * float(f), 3) for v, f in zip(visits, self.floor, strict=True)}
        return {"error_scale": round(self.scale, 4), f"floor_{unit}": floors}


def bad_visits(
    square: Floats, given: Floats, share: Floats, visit: Ints, visits: Ints, errors: Noise, dimension: int
) -> dict[str, float]:
    """{visit: rms per axis} of visits whose detections scatter more than three times as much as their errors allow.

    square, given, share, visit : (n,) as for `measure`, of all detections that may be in the fit, used or not.
    """
    found = {}
    for e, k in enumerate(robust.members(visit, visits.size)):
        if not k.size:
            continue
        allowed = errors.variance(given[k], visit[k]) * np.maximum(share[k], 0.05)
        if np.median(square[k] / allowed) > _BAD**2 * robust.MEDIAN_CHI2[dimension]:
            rms = np.sqrt(np.median(square[k] / np.maximum(share[k], 0.05)) / robust.MEDIAN_CHI2[dimension])
            found[str(visits[e])] = round(float(rms), 4)
    return found


def constant(floor: float, n_visit: int) -> Noise:
    """The given errors and one floor."""
    return Noise(1.0, np.full(n_visit, floor))


def begin(
    obs: Observations, floor: float | None, previous: Astrometry | None, n_soft: int
) -> tuple[Noise, Floats, int]:
    """Noise, factors on the weights (n_obs,), and how many of the passes are done, that a fit begins with.

    floor : given, or None; previous: a solution to start from, with its errors, and its outliers if it is of the same
    observations. Without them the last soft pass is to be done again.
    """
    n = obs.x.size
    if previous is None:
        return constant(floor or 0.0, obs.visits.size), np.ones(n), 0
    errors = Noise(previous.error_scale, previous.floors)
    if previous.is_used.size != n:
        return errors, np.ones(n), n_soft - 1
    return errors, np.where(obs.is_reserved | previous.is_used, 1.0, 0.0), n_soft


def sample(n: int) -> Bools:
    """(n,) which detections tell of the errors: all, or every so many of very many."""
    return np.asarray(np.arange(n) % max(1, n // _N_SAMPLE) == 0)


def measure(
    square: Floats, given: Floats, share: Floats, visit: Ints, n_visit: int, dimension: int, largest: float,
    is_settled: bool = True,
) -> Noise:  # fmt: skip
    """The Noise that explains residuals.

    square  : (n,) squared residuals, summed over `dimension` axes; given (n,) their variance per axis.
    share   : (n,) part of the variance that is left in a residual about the star's own mean.
    visit   : (n,) indices; largest: upper bound of a floor.
    is_settled : whether visits may have floors of their own. While the fit still moves, a visit that begins far off
              would be given a large one, lose its weight, and stay off.
    """
    scale = _scale(square, given, share, dimension)
    scaled = scale**2 * given
    common = robust.floor(square, scaled, share, dimension, largest)
    # the faint say nothing of a floor, but they are many and drag it about by what is wrong with their errors
    is_bright = scaled <= max(common**2, 2.0 * float(np.quantile(scaled, 0.3)) if scaled.size else 0.0)
    common = robust.floor(square[is_bright], scaled[is_bright], share[is_bright], dimension, largest)
    floor = np.full(n_visit, common)
    if not is_settled:
        return Noise(scale, floor)
    n = np.bincount(visit[is_bright], minlength=n_visit)
    for e in np.flatnonzero(n >= _N_PER_VISIT):
        k = is_bright & (visit == e)
        own = robust.floor(square[k], scaled[k], share[k], dimension, largest)
        own = min(own, _MOST * common)
        floor[e] = np.sqrt((n[e] * own**2 + _N_PER_VISIT * common**2) / (n[e] + _N_PER_VISIT))
    return Noise(scale, floor)


def _scale(square: Floats, given: Floats, share: Floats, dimension: int) -> float:
    """Factor on the given one sigmas: slope of the robust variance in bins of the given one, a floor being free."""
    n_bin = min(_N_BIN, square.size // _N_PER_BIN)
    if n_bin < 3:
        return 1.0
    order = np.argsort(given, kind="stable")
    bins = np.array_split(order, n_bin)
    middle = np.array([np.median(given[k]) for k in bins])
    seen = np.array([np.median(square[k] / np.maximum(share[k], 0.05)) for k in bins]) / robust.MEDIAN_CHI2[dimension]
    if not (seen > 0).all() or middle[-1] < _LEVER * middle[0]:
        return 1.0
    # relative residuals: each bin's variance is known to the same fraction
    from scipy.optimize import nnls  # half a second to import, and every command loads every stage

    slope = nnls(np.stack([middle / seen, 1.0 / seen], axis=1), np.ones(n_bin))[0][0]
    return float(np.clip(np.sqrt(slope), *_SCALES))
