"""How stars' and visits' axes lie to a direction common to the field: krylov.py sees them there."""

import numpy as np

from hscdb.mosaic.model import Floats
from hscdb.mosaic.places import State


def of_stars(state: State) -> Floats:
    """(n_star, 2) cos and sin of the angle from each star's east to the direction common to the field."""
    s = state.star
    center = s.mean(axis=0) / np.linalg.norm(s.mean(axis=0))
    east = np.array([-center[1], center[0], 0.0])
    east = east / max(float(np.linalg.norm(east)), 1e-12)
    moved = east - ((s @ east) / (1.0 + s @ center))[:, None] * (s + center)  # along the great circle from the center
    cos, sin = (np.einsum("ij,ij->i", moved, axis) for axis in state.local_axes())
    return np.stack([cos, sin], axis=1) / np.hypot(cos, sin)[:, None]


def of_visits(state: State, use: Floats, common: Floats) -> tuple[Floats, Floats]:
    """cos and sin (n_visit,) of the angle from each visit's xi to the direction common to the field."""
    obs, t, n = state.obs, state.turn, state.obs.visits.size
    c, s = common[obs.star].T
    cos = np.bincount(obs.visit, use * (c * (t[:, 0, 0] + t[:, 1, 1]) + s * (t[:, 1, 0] - t[:, 0, 1])), n)
    sin = np.bincount(obs.visit, use * (c * (t[:, 1, 0] - t[:, 0, 1]) - s * (t[:, 0, 0] + t[:, 1, 1])), n)
    length = np.maximum(np.hypot(cos, sin), 1e-300)
    return np.where(cos == 0.0, 1.0, cos / length), sin / length
