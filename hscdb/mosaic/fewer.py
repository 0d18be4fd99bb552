"""Parts of what a fit of positions is given: some stars, some visits. Orders are tried on them."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from hscdb.mosaic.model import Anchors, Bools, Floats, Geometry, Observations, References

_OF_DETECTIONS = ("visit", "ccd", "x", "y", "covariance", "ra", "dec", "mag", "mag_err", "is_reserved", "reason")


@dataclass(frozen=True)
class Sky:
    """What the fits of positions are given beside observations and references.

    again : again(about, ccd_terms), the places with the distortion expanded about moved CCDs, None where it is good
            enough about `about`. None: it always is.
    nodes : of placeerrors.nodes, where errors of places are told; None: nowhere.
    """

    places: Geometry
    crval: Floats
    mjd: Floats
    rotation: Floats
    anchors: Anchors
    has_distortion: bool
    place_err: Floats
    again: Callable[[Floats, Floats], Geometry | None] | None = None
    nodes: Geometry | None = None

    def of(self, k: Bools) -> "Sky":
        """Of the observations k (n_obs,) alone."""
        g = self.places
        some = {name: getattr(g, name)[k] for name in ("u", "v", "field_x", "field_y", "jacobian", "lever")}
        return replace(self, places=replace(g, **some), place_err=self.place_err[k], again=None)


def thinned(
    obs: Observations, refs: References, sky: Sky, some: Bools
) -> tuple[Observations, References, Sky]:
    """Some of the stars (n_star,), with all their detections."""
    k = some[obs.star]
    star = (np.cumsum(some) - 1)[obs.star[k]]
    fewer = replace(obs, stars=obs.stars[some], star=star, **{name: getattr(obs, name)[k] for name in _OF_DETECTIONS})
    known = {name: getattr(refs, name) for name in References.__dataclass_fields__}
    kept = replace(refs, **{name: one[some] for name, one in known.items() if one is not None})
    return fewer, kept, sky.of(k)


def of_visits(
    obs: Observations, refs: References, sky: Sky, some: Bools
) -> tuple[Observations, References, Sky]:
    """Some of the visits (n_visit,), and the stars that they see."""
    k, number = some[obs.visit], np.cumsum(some) - 1
    epochs = None if obs.visit_epochs is None else obs.visit_epochs[some]
    fewer = replace(obs, visits=obs.visits[some], visit_epochs=epochs, star=obs.star[k],
                    **{name: getattr(obs, name)[k] for name in _OF_DETECTIONS})  # fmt: skip
    at = some[sky.anchors.visit]
    anchors = Anchors(*(getattr(sky.anchors, name)[at] for name in Anchors.__dataclass_fields__))
    sky = replace(sky.of(k), crval=sky.crval[some], mjd=sky.mjd[some],
                  anchors=replace(anchors, visit=number[anchors.visit]))  # fmt: skip
    fewer = replace(fewer, visit=number[fewer.visit])
    return thinned(fewer, refs, sky, np.bincount(fewer.star, minlength=obs.stars.size) > 0)
