"""Which order of the visits' polynomials stars that no fit has seen ask for."""

import logging
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from hscdb.errors import DataError
from hscdb.mosaic import judge
from hscdb.mosaic.fewer import Sky
from hscdb.mosaic.model import Astrometry, Bools, Floats, Observations

logger = logging.getLogger(__name__)

ORDER = 5  # of the visits' polynomials where nothing tells a better one
ORDERS = (1, 2, 3, 5, 7, 9)  # even orders add little where the optics have an axis
GAIN = 0.003  # part of their scatter by which reserved stars must become better for a higher order


def chosen(scatter: Callable[[int], float], lowest: int = 1) -> int:
    """The order by scatter(order): downwards from the default, to the lowest allowed, while no more than 0.3 % are lost
    on the best seen; if nothing was to be had there, upwards while each step gains 0.3 %.
    """
    at = ORDERS.index(ORDER)
    best = scatter(ORDER)
    while ORDERS[at] > lowest and scatter(ORDERS[at - 1]) <= (1.0 + GAIN) * best:
        at -= 1
        best = min(best, scatter(ORDERS[at]))
    if ORDERS[at] == ORDER:
        while at + 1 < len(ORDERS) and scatter(ORDERS[at + 1]) < (1.0 - GAIN) * scatter(ORDERS[at]):
            at += 1
    return ORDERS[at]


def lower(
    obs: Observations, sky: Sky, solution: Astrometry, calm: Callable[[int, Astrometry | None], Astrometry],
    without: Callable[[Bools, Astrometry], Astrometry], folds: list[Bools], lowest: int,
) -> tuple[Astrometry, dict[str, float]]:  # fmt: skip
    """A solution of a lower order if nothing is lost by it once the air is taken off: high orders follow the air, too,
    and run wild at the edges. With it: scatter of the stars that judge, by order.

    Nothing lost: the variance grows by no more than 0.6 %, or by one standard error of the change.

    calm    : calm(order, near), a solution of that order with the air taken off, starting near another.
    without : without(held, solution), the solution without the stars of the observations `held`, which it predicts.
    folds   : observations (n_obs,) that are held aside together, so that all stars judge; none: the reserved ones do.
    """
    judges = replace(obs, is_reserved=np.ones(obs.x.size, bool)) if folds else obs

    def predicted(one: Astrometry) -> Floats:
        residual = one.residual.copy()
        for held in folds:
            residual[held] = without(held, one).residual[held]
        return residual

    tried: dict[str, float] = {}
    best, least = solution, predicted(solution)
    tried[str(best.order)] = round(judge.reserved_rms(judges, least, sky.place_err), 4)
    for order in reversed([each for each in ORDERS if lowest <= each < solution.order]):
        try:
            trial = calm(order, replace(best, turbulence=None))
            now = predicted(trial)
        except DataError as error:
            logger.info("order %d is left out: %s", order, error)
            break
        tried[str(order)] = round(judge.reserved_rms(judges, now, sky.place_err), 4)
        change, error_of_it = judge.change(judges, least, now, sky.place_err)
        if not change <= max(2.0 * GAIN, error_of_it):
            break
        best, least = trial, now if change < 0.0 else least
    return best, tried
