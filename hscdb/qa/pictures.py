"""All pictures of one joint solution, in the order in which one looks at them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from hscdb.camera.model import Camera
from hscdb.qa import fieldplots, plots
from hscdb.qa.fields import cells

Rows = npt.NDArray[np.void]


@dataclass(frozen=True)
class Facts:
    """What is drawn: the camera and rows of read_residuals, read_stars, read_ccds, run/read_solutions, read_scatter."""

    camera: Camera
    rows: Rows
    stars: Rows
    ccds: Rows
    fields: Rows
    scatter: Rows
    snr_min: float

    def title(self, tract: int, filter: str) -> str:
        """Second line of every picture."""
        n = np.unique(self.rows["visit"]).size
        return f"tract {tract}, {filter}, {n} visits, {len(self.stars)} stars, {len(self.rows)} detections"


def draw(facts: Facts, title: str, n_visit_max: int) -> Iterator[tuple[str, dict[str, int], Figure]]:
    """(dataset, its further ids, figure); those of single visits of the first n_visit_max visits only.

    A star seen once has no residual about itself: its detection is not drawn.
    """
    rows = facts.rows[facts.rows["n_seen"] >= 2]
    snr_min = plots.lowered(rows, facts.snr_min)
    yield "ResPosScatter", {}, plots.position_scatter(rows, title, snr_min)
    yield "PosDPos", {}, fieldplots.position_residuals(rows, title, snr_min)
    yield "MdM", {}, plots.magnitude_residuals(rows, facts.stars, title, snr_min)
    yield "ResFlux", {}, fieldplots.flux_residuals(rows, facts.ccds, facts.camera, title, snr_min)
    yield "DFlux2D", {}, fieldplots.flux_residuals_2d(rows, title, snr_min)
    yield "visitRms", {}, plots.per_visit(facts.scatter, title)
    for visit in np.unique(facts.fields["visit"])[:n_visit_max].tolist():
        here = cells(facts.camera, facts.fields[facts.fields["visit"] == visit])
        yield "ResPosArrow2D", {"visit": visit}, plots.arrows(rows, visit, title)
        yield "fcont", {"visit": visit}, fieldplots.correction(here, visit, title)
        yield "jcont", {"visit": visit}, fieldplots.jacobian(here, visit, title)
