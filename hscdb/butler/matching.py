"""Pairs of near sources of two catalogs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from hscdb.butler.catalog import SourceCatalog, SourceRecord


class Match(NamedTuple):
    """A pair and its separation [rad]."""

    first: SourceRecord
    second: SourceRecord
    distance: float


def matchRaDec(one: SourceCatalog, other: SourceCatalog, radius: float, closest: bool = True) -> list[Match]:
    """For each source of the first catalog the nearest of the second within a radius (Angle, or rad), or all of them.

    Sources without coordinates match nothing.
    """
    places, kept = zip(*(_vectors(each) for each in (one, other)))
    chord = 2.0 * np.sin(float(radius) / 2.0)
    tree = cKDTree(places[1]) if len(places[1]) else None
    found: list[Match] = []
    if tree is None or not len(places[0]):
        return found
    if closest:
        distances, at = tree.query(places[0], distance_upper_bound=chord)
        pairs = [(i, int(j)) for i, (j, distance) in enumerate(zip(at, distances)) if np.isfinite(distance)]
    else:
        pairs = [(i, j) for i, near in enumerate(tree.query_ball_point(places[0], chord)) for j in sorted(near)]
    for i, j in pairs:
        apart = float(np.linalg.norm(places[0][i] - places[1][j]))
        found.append(Match(one[int(kept[0][i])], other[int(kept[1][j])], 2.0 * float(np.arcsin(apart / 2.0))))
    return found


def _vectors(catalog: SourceCatalog) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors of the sources with coordinates, and their rows."""
    ra, dec = catalog.getRa(), catalog.getDec()
    kept = np.flatnonzero(np.isfinite(ra) & np.isfinite(dec))
    ra, dec = ra[kept], dec[kept]
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=1), kept
