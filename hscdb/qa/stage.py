"""qa: numbers that judge the joint solution into qa_metric, then pictures drawn from queries."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hscdb.db import copy
from hscdb.db.queries import query
from hscdb.errors import InputError
from hscdb.qa import metrics
from hscdb.run.config import setting
from hscdb.run.stage import Funnel, Work, stage

if TYPE_CHECKING:
    from matplotlib.figure import Figure

find_solution = query("qa/find_solution")
read_scatter = query("qa/read_scatter")
read_external = query("qa/read_external")
read_repeatability = query("qa/read_repeatability")
read_places = query("qa/read_places")
read_residuals = query("qa/read_residuals")
read_ref_catalogs = query("qa/read_ref_catalogs")

# distance [arcmin] and largest deviation of the requirement [mas] for AM1 and AM2 (LPM-17)
_DISTANCES = ((1, 5.0, 20.0), (2, 20.0, 20.0))


@dataclass(frozen=True)
class Config:
    """Settings of qa."""

    snr_min: float = setting(100.0, "least S/N of the detections judged by", was="validate_drp brightSnr")
    n_star_max: int = setting(2000, "most stars for the pairs of AM1 and AM2")
    n_visit_plot_max: int = setting(50, "most visits with a picture of their own")
    do_plots: bool = setting(True, "draw pictures", was="--diagnostics")


@stage(
    "qa",
    per="tract",
    config=Config,
    reads=("star_residual", "star_solution", "star_ref", "source_sky"),
    writes=("qa_metric",),
    needs=("mosaic",),
)
def run(work: Work, config: Config) -> Funnel:
    """Metrics and pictures of a tract and filter (hscPipe: mosaic.py --diagnostics, checkMosaic.py)."""
    tract, band = work.unit["tract"], work.unit["filter"]
    found = find_solution.one(work.connection, run_id=work.run_id, tract=tract, filter=band)
    if found is None:
        raise InputError(
            f"qa tract={tract} filter={band}: no joint solution (1 needed). Run `hscdb mosaic` first.",
            code="no_solution",
        )
    task = int(found["task_id"])
    scatter = read_scatter(work.connection, mosaic_task_id=task, snr_min=config.snr_min)
    figures = list(metrics.scatter(scatter))
    for catalog in read_ref_catalogs(work.connection, run_id=work.run_id, tract=tract, filter=band)[:1]:
        figures += metrics.external(
            read_external(
                work.connection, run_id=work.run_id, mosaic_task_id=task, tract=tract, filter=band,
                ref_catalog_id=int(catalog["ref_catalog_id"]),
            )
        )  # fmt: skip
    figures += metrics.repeatability(read_repeatability(work.connection, mosaic_task_id=task, snr_min=config.snr_min))
    from hscdb.qa import separations  # scipy.spatial, which no other command needs at its start

    places = read_places(
        work.connection, run_id=work.run_id, mosaic_task_id=task, snr_min=config.snr_min, n_star_max=config.n_star_max
    )
    for number, distance, deviation in _DISTANCES:
        figures += metrics.separations(separations.repeatability(places, distance, deviation), number)
    columns = metrics.table({"run_id": work.run_id, "task_id": work.task_id}, tract, band, figures)
    rows = np.empty(len(figures), [(name, column.dtype) for name, column in columns.items()])
    for name, column in columns.items():
        rows[name] = column
    copy.write(work.connection, "qa_metric", rows)
    n_plot = _plots(work, config, task, scatter) if config.do_plots else 0
    return {"n_metric": len(figures), "n_plot": n_plot}


def _plots(work: Work, config: Config, task: int, scatter: np.ndarray) -> int:
    """Draw and store the pictures; returns their number."""
    from hscdb.qa import plots  # matplotlib takes a second to import, and every command loads every stage

    rows = read_residuals(work.connection, mosaic_task_id=task)
    ids = {name: work.unit[name] for name in ("tract", "filter")}
    title = f"tract {ids['tract']}, {ids['filter']}, {np.unique(rows['visit']).size} visits, {len(rows)} detections"
    drawn: list[tuple[str, dict[str, int], Figure]] = [
        ("ResPosScatter", {}, plots.position_scatter(rows, title, config.snr_min)),
        ("MdM", {}, plots.magnitude_residuals(rows, title, config.snr_min)),
        ("visitRms", {}, plots.per_visit(scatter, title)),
    ]
    for visit in np.unique(rows["visit"])[: config.n_visit_plot_max]:
        drawn.append(("ResPosArrow2D", {"visit": int(visit)}, plots.arrows(rows, int(visit), title)))
    for dataset, more, figure in drawn:
        with work.files.writing(dataset, **ids, **more) as path:
            figure.savefig(path, format="png", dpi=100)
    return len(drawn)
