"""apply: the joint solution put onto calexp and src of a frame: CALEXP, CALSRC and calibrated_source."""

from typing import Any

from hscdb.apply import catalog, solution
from hscdb.apply.stage_config import Config
from hscdb.db import copy
from hscdb.db.queries import query
from hscdb.errors import InputError
from hscdb.fits import header, product
from hscdb.run.stage import Funnel, Work, stage

find_solution = query("apply/find_solution")
read_solutions = query("run/read_solutions")
find_left_out = query("apply/find_left_out")
read_sources = query("apply/read_sources")
delete_sources = query("apply/delete_sources")


@stage(
    "apply",
    per="frame",
    config=Config,
    reads=("wcs_solution", "flux_scale", "source", "source_sky"),
    writes=("calibrated_source",),
    needs=("mosaic",),
)
def run(work: Work, config: Config) -> Funnel:
    """Calibrated image and catalog of a frame in a tract (hscPipe: calibrateExposure.py, calibrateCatalog.py)."""
    unit = work.unit
    where = {"run_id": work.run_id, "tract": unit["tract"], "visit": unit["visit"], "ccd": unit["ccd"]}
    found = find_solution.one(work.connection, **where)
    if found is None or not found["has_joint"] or not found["scale_task_id"]:
        raise _unsolved(work, found)
    tasks = {name: int(found[name]) for name in ("wcs_task_id", "scale_task_id")}
    chosen = solution.from_row(read_solutions.one(work.connection, **tasks, **_ids(work)))
    kind = work.options.get("kind", "")
    has_image = not found["is_catalog"]
    n_image = int(kind != "catalogs" and config.do_image and has_image and _image(work, chosen))
    sources = read_sources(work.connection, run_id=work.run_id, visit=unit["visit"], ccd=unit["ccd"])
    rows = catalog.rows({"run_id": work.run_id, "task_id": work.task_id}, unit, sources, chosen)
    if kind == "images":
        rows = rows[:0]
    else:
        delete_sources(work.connection, task_id=work.task_id, **where)
    copy.write(work.connection, "calibrated_source", rows)
    n_catalog = int(kind != "images" and config.do_catalog and _catalog(work, config, chosen, sources, has_image))
    return {"n_source": len(sources), "n_calibrated": len(rows), "n_image": n_image, "n_catalog": n_catalog,
            "n_joint": int(chosen.is_joint), "n_extrapolated": int(chosen.is_extrapolated)}  # fmt: skip


def _ids(work: Work) -> dict[str, Any]:
    return {name: work.unit[name] for name in ("visit", "ccd")}


def _unsolved(work: Work, found: Any) -> InputError:
    """What to say of a frame without a joint solution; a product by the first calibration would hide that."""
    where = {name: work.unit[name] for name in ("tract", "visit")}
    who = f"apply visit={work.unit['visit']} ccd={work.unit['ccd']} tract={work.unit['tract']}"
    if found is not None and found["has_joint"]:
        return InputError(
            f"{who}: no flux scale (1 needed), as no detection of the visit has a flux. Its positions are in "
            "wcs_solution.",
            code="no_flux_scale",
        )
    left_out = find_left_out.one(work.connection, run_id=work.run_id, **where)
    why = f": it was left out, for it {left_out['why']}" if left_out is not None else ""
    return InputError(f"{who}: no joint solution{why}. Run `hscdb mosaic` on the tract with it.", code="no_solution")


def _image(work: Work, chosen: solution.Solution) -> bool:
    """Write CALEXP. MissingProductError `no_calexp` if the image is gone."""
    path = work.files.find("calexp", **_ids(work))
    image = product.read_plane(path, "IMAGE")
    data, variance = solution.scale_image(chosen, image, product.read_plane(path, "VARIANCE"))
    wcs_cards = header.wcs_cards(chosen.wcs, data.shape[1], data.shape[0])
    with work.files.writing("calibrated_exp", **work.unit) as new:
        # headers and tables (PSF, ...) are copied byte for byte; image and variance are put over them
        product.update_header(path, {0: _cards(work, chosen), "IMAGE": wcs_cards}, to=new)
        product.overwrite_plane(new, "IMAGE", data)
        product.overwrite_plane(new, "VARIANCE", variance)
    return True


def _cards(work: Work, chosen: solution.Solution) -> list[tuple[str, Any, str]]:
    return [
        ("FLUXMAG0", chosen.mag0_e, "[electron] counts of an AB magnitude of 0"),
        ("FLUXMAG0ERR", chosen.mag0_e_err, "[electron] one sigma of FLUXMAG0"),
        ("TRACT", int(work.unit["tract"]), "tract of the joint solution"),
        ("MOSAIC", chosen.is_joint, "whether the joint solution was used"),
        ("EXTRAPOL", chosen.is_extrapolated, "solution extrapolated from the camera model"),
    ]


def _catalog(work: Work, config: Config, chosen: solution.Solution, sources: Any, has_src: bool) -> bool:
    """Write CALSRC from the SRC file, or from the rows where the frame came as a catalog.

    MissingProductError `no_src` if the file is gone.
    """
    cards: list[tuple[str, Any]] = []
    if has_src:
        path = work.files.find("src", **_ids(work))
        columns = catalog.from_src(product.read_table(path, 1), chosen, config.do_apply_calib)
        cards = catalog.explaining(product.read_header(path, 1))
    else:
        columns = catalog.from_rows(sources, chosen, config.do_apply_calib)
    table = product.Table("SRC", columns, units=catalog.units(columns.dtype.names or ()), cards=cards)
    with work.files.writing("calibrated_src", **work.unit) as new:
        product.write_header(new, _cards(work, chosen), [table])
    return True
