"""qa: numbers that judge the joint solution into qa_metric, then pictures drawn from queries."""

import logging

import numpy as np

from hscdb.db import copy
from hscdb.db.queries import query
from hscdb.errors import InputError
from hscdb.fits.table import write_table
from hscdb.qa import metrics, tables
from hscdb.qa.stage_config import Config
from hscdb.run.stage import Funnel, Work, stage

logger = logging.getLogger(__name__)

find_solution = query("qa/find_solution")
read_scatter = query("qa/read_scatter")
read_external = query("qa/read_external")
read_repeatability = query("qa/read_repeatability")
read_zero_points = query("qa/read_zero_points")
read_places = query("qa/read_places")
read_residuals = query("qa/read_residuals")
read_stars = query("qa/read_stars")
read_ccds = query("qa/read_ccds")
read_visits = query("qa/read_visits")
read_fields = query("run/read_solutions")
read_page_metrics = query("qa/read_page_metrics")
read_ref_catalogs = query("qa/read_ref_catalogs")

# Distance [arcmin] and largest deviation of the requirement [mas] for AM1 to AM3 (LPM-17); AM3 at 60 instead of 200
# arcmin, which no exposure of HSC or DECam spans.
_DISTANCES = ((1, 5.0, 20.0), (2, 20.0, 20.0), (3, 60.0, 30.0))


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
    figures += metrics.zero_points(read_zero_points(work.connection, mosaic_task_id=task))
    for visit, offset in metrics.strange(figures):
        logger.warning("visit %s has a zero point %+.0f mmag off those within an hour", visit, offset)
    from hscdb.qa import correlation, separations  # scipy.spatial, which no other command needs at its start

    places = read_places(
        work.connection, run_id=work.run_id, mosaic_task_id=task, snr_min=config.snr_min, n_star_max=config.n_star_max
    )
    for number, distance, deviation in _DISTANCES:
        figures += metrics.separations(separations.repeatability(places, distance, deviation), number)
    residuals = read_residuals(work.connection, mosaic_task_id=task)
    figures += metrics.correlations(correlation.of_residuals(residuals, config.snr_min))
    columns = metrics.table({"run_id": work.run_id, "task_id": work.task_id}, tract, band, figures)
    rows = np.empty(len(figures), [(name, column.dtype) for name, column in columns.items()])
    for name, column in columns.items():
        rows[name] = column
    copy.write(work.connection, "qa_metric", rows)
    n_file = _plots(work, config, task, scatter, residuals) if config.do_plots else 0
    return {"n_metric": len(figures), "n_file": n_file}


def _plots(work: Work, config: Config, task: int, scatter: np.ndarray, residuals: np.ndarray) -> int:
    """Draw and store the pictures, the tables and the page that shows them; returns the number of files."""
    from hscdb.qa import page, pictures  # matplotlib takes a second to import, and every command loads every stage

    ids = {name: work.unit[name] for name in ("tract", "filter")}
    facts = pictures.Facts(
        camera=work.camera,
        rows=residuals,
        stars=read_stars(work.connection, mosaic_task_id=task),
        ccds=read_ccds(work.connection, mosaic_task_id=task),
        fields=read_fields(work.connection, wcs_task_id=task, scale_task_id=task, visit=None, ccd=None),
        scatter=scatter,
        snr_min=config.snr_min,
    )
    title = facts.title(ids["tract"], ids["filter"])
    shown = []
    for dataset, more, figure in pictures.draw(facts, title, config.n_visit_plot_max):
        with work.files.writing(dataset, **ids, **more) as path:
            figure.savefig(path, format="png", dpi=100)
            shown.append((" ".join([dataset, *map(str, more.values())]), path.read_bytes()))
    visits = read_visits(work.connection, mosaic_task_id=task)
    texts = tables.texts(work.camera, facts.rows, facts.ccds, visits)
    for dataset, text in texts.items():
        with work.files.writing(dataset, **ids) as path:
            path.write_text(text, encoding="ascii")
    with work.files.writing("mosaicCatalog", **ids) as path:
        write_table(path, *tables.catalog(facts.stars))
    summary = read_page_metrics(work.connection, qa_task_id=work.task_id)
    with work.files.writing("qaPage", **ids) as path:
        path.write_text(page.html(title, summary, shown), encoding="utf-8")
    return len(shown) + len(texts) + 2
