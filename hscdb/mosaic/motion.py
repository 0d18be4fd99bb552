"""Proper motions of stars whose catalogs know none, over visits that span years.

Star s has a place and a motion m_s about its epoch; detection k lies at place + m_s dt_k, dt_k its years since then,
and m_s has a prior N(0, prior^2) per axis. Given the visits and CCDs the best of both is, with W_k the detections'
inverse covariances, R_s, r_s the reference's and its offset, and y_k what the model is off the present star,

    | sum W + R     sum W dt          | | shift  |   | sum W y + R r             |
    | sum W dt      sum W dt^2 + I/p^2| | change | = | sum W y dt - m_s / p^2    |

of which each pass of astrometry.fit takes the change of m_s; the shift follows with the weighted mean. Stars and
model are improved in turn: what all stars' motions have in common is the prior's and the references' with known
motions to say (gauge), all else is settled by the passes of the fit. A motion takes up w_k (dt_k - mean)^2 / (sum w
dt^2 + 1/p^2) of a detection's variance, which `share` must know, or floors would be measured too small.
"""

import numpy as np
from numba import njit

from hscdb.mosaic.model import Bools, Floats, Ints, Observations, References

YEAR = 365.25
_LEAST_YEARS = 0.5  # a shorter span tells of parallaxes, not of motions


def star_epochs(obs: Observations, refs: References, epoch_mjd: Floats) -> Floats:
    """(n_star,) epoch at which each star is described: its reference's, else the mean of its detections [MJD]."""
    count = np.maximum(np.bincount(obs.star, minlength=obs.stars.size), 1)
    mean = np.bincount(obs.star, epoch_mjd[obs.visit], obs.stars.size) / count
    return np.where(np.isfinite(refs.ra), refs.epoch_mjd, mean)


def displacement(obs: Observations, refs: References, epoch_mjd: Floats, motion: Floats | None) -> Floats:
    """(n_obs, 2) east and north [mas] that solved motions (n_star, 4) have moved the stars by; 0 of all others."""
    if motion is None:
        return np.zeros((obs.x.size, 2))
    years = (epoch_mjd[obs.visit] - star_epochs(obs, refs, epoch_mjd)[obs.star]) / YEAR
    return np.asarray(np.nan_to_num(motion[obs.star, :2]) * years[:, None])


class Motions:
    """Motions of the stars of a fit that have none of their own.

    free : (n_star,) which stars; err (n_star, 2) their one sigma [mas/yr]; leverage (n_obs,) as in the module's text.
    """

    def __init__(
        self, obs: Observations, refs: References, epoch_mjd: Floats, star_epoch: Floats, prior_mas_yr: float
    ) -> None:
        self.obs, self.start = obs, obs.start
        self.free: Bools = ~np.any(np.nan_to_num(refs.pm) != 0.0, axis=1)
        self.years = (epoch_mjd[obs.visit] - star_epoch[obs.star]) / YEAR
        self.inverse_prior = prior_mas_yr**-2.0
        self.err = np.full((obs.stars.size, 2), np.nan)
        self.leverage = np.zeros(obs.x.size)

    def improve(
        self, pm: Floats, weight: Floats, use: Floats, offset: Floats, ref_weight: Floats, ref_offset: Floats
    ) -> None:
        """Change pm (n_star, 2) and take its change off offset (n_obs, 2), in place."""
        _improve(
            self.start, self.free, self.years, weight, use, offset, ref_weight, ref_offset, self.inverse_prior, pm,
            self.err, self.leverage,
        )  # fmt: skip

    def told(self, pm: Floats, seen: Bools) -> Floats:
        """(n_star, 4) motions east, north and their errors [mas/yr]; NaN of stars that are not free or not seen."""
        has = self.free & seen
        return np.where(has[:, None], np.concatenate([pm, self.err], axis=1), np.nan)


def wanted(prior_mas_yr: float, epoch_mjd: Floats) -> bool:
    """Whether motions are asked for and the visits span long enough."""
    return prior_mas_yr > 0.0 and float(np.ptp(epoch_mjd)) > _LEAST_YEARS * YEAR


@njit(cache=True, nogil=True)
def _improve(start: Ints, free, years, weight, use, offset, ref_w, ref_d, inverse_prior, pm, err, leverage):
    for s in range(start.size - 1):
        if not free[s]:
            continue
        a00, a01, a11 = ref_w[s, 0], ref_w[s, 1], ref_w[s, 2]
        p0 = a00 * ref_d[s, 0] + a01 * ref_d[s, 1]
        p1 = a01 * ref_d[s, 0] + a11 * ref_d[s, 1]
        b00 = b01 = b11 = 0.0
        c00, c01, c11 = inverse_prior, 0.0, inverse_prior
        q0, q1 = -inverse_prior * pm[s, 0], -inverse_prior * pm[s, 1]
        for k in range(start[s], start[s + 1]):
            if use[k] == 0.0:
                continue
            t = years[k]
            w00, w01, w11 = use[k] * weight[k, 0], use[k] * weight[k, 1], use[k] * weight[k, 2]
            y0, y1 = w00 * offset[k, 0] + w01 * offset[k, 1], w01 * offset[k, 0] + w11 * offset[k, 1]
            a00, a01, a11 = a00 + w00, a01 + w01, a11 + w11
            b00, b01, b11 = b00 + w00 * t, b01 + w01 * t, b11 + w11 * t
            c00, c01, c11 = c00 + w00 * t * t, c01 + w01 * t * t, c11 + w11 * t * t
            p0, p1, q0, q1 = p0 + y0, p1 + y1, q0 + y0 * t, q1 + y1 * t
        det = a00 * a11 - a01 * a01
        if det <= 0.0:
            continue
        # the place eliminated: m = c - b a^-1 b, q - b a^-1 p
        i00, i01, i11 = a11 / det, -a01 / det, a00 / det
        g00, g01 = i00 * b00 + i01 * b01, i00 * b01 + i01 * b11
        g10, g11 = i01 * b00 + i11 * b01, i01 * b01 + i11 * b11
        m00, m01, m11 = c00 - b00 * g00 - b01 * g10, c01 - b00 * g01 - b01 * g11, c11 - b01 * g01 - b11 * g11
        r0, r1 = q0 - g00 * p0 - g10 * p1, q1 - g01 * p0 - g11 * p1
        own = m00 * m11 - m01 * m01
        d0, d1 = (m11 * r0 - m01 * r1) / own, (m00 * r1 - m01 * r0) / own
        pm[s, 0] += d0
        pm[s, 1] += d1
        err[s, 0], err[s, 1] = np.sqrt(m11 / own), np.sqrt(m00 / own)
        mean, spread = (b00 + b11) / (a00 + a11), 0.5 * (m00 + m11) / own
        for k in range(start[s], start[s + 1]):
            offset[k, 0] -= d0 * years[k]
            offset[k, 1] -= d1 * years[k]
            one = 0.5 * use[k] * (weight[k, 0] + weight[k, 2])
            leverage[k] = one * (years[k] - mean) ** 2 * spread
