"""jointcal's files, jointcal_wcs-*.fits and jointcal_photoCalib-*.fits, from the rows of a joint solution."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from hscdb.butler.calib import NJY_MAG0
from hscdb.db.engine import transaction
from hscdb.db.queries import query
from hscdb.fits import product
from hscdb.fits.header import wcs_cards
from hscdb.run.product import PREFIX
from hscdb.run.repository import Repository
from hscdb.sky.polynomial import unflatten
from hscdb.sky.wcs import Wcs


def write(repository: Repository, run: Any, tract: int, filter: str) -> int:
    """Write both files of every frame of a tract and filter, and enter them as products of the mosaic task.

    Doing it again writes them anew; a solution that is done again forgets them. Returns the number of files.
    """
    n_file = 0
    with transaction(repository.engine) as connection:
        done = query("butler/find_solution").one(connection, run_id=int(run["run_id"]), tract=tract, filter=filter)
        task = 0 if done is None else int(done["task_id"])
        rows = query("run/read_solutions")(connection, wcs_task_id=task, scale_task_id=task, visit=None, ccd=None)
        for row in rows:
            ccd = repository.camera.ccds[int(row["ccd"])]
            ids = {"visit": int(row["visit"]), "ccd": int(row["ccd"]), "tract": tract, "filter": filter}
            for dataset, cards in (
                ("jointcal_wcs", wcs_cards(_wcs(row), ccd.width, ccd.height)),
                ("jointcal_photoCalib", _photo_calib(row)),
            ):
                relative = f"rerun/{run['name']}/{product.path(dataset, pointing=int(row['pointing']), **ids)}"
                n_byte, sha256 = _write(repository.path / relative, cards)
                query("run/replace_product")(
                    connection, run_id=int(run["run_id"]), task_id=int(row["task_id"]), dataset=dataset, path=relative,
                    n_byte=n_byte, sha256=sha256, **ids,
                )  # fmt: skip
                n_file += 1
    return n_file


def _wcs(row: Any) -> Wcs:
    cd = [float(row[name]) for name in ("cd1_1_deg", "cd1_2_deg", "cd2_1_deg", "cd2_2_deg")]
    return Wcs.from_flat(
        (float(row["crval1_deg"]), float(row["crval2_deg"])), (float(row["crpix1_pix"]), float(row["crpix2_pix"])),
        cd, int(row["sip_order"]), row["sip_a"], row["sip_b"],
    )  # fmt: skip


def _photo_calib(row: Any) -> list[tuple[str, Any, str]]:
    """Cards of the flux scale: nJy per count at the centre, and the field over the image's own pixels."""
    mag0, error = float(row["flux_mag0_e"]), float(row["flux_mag0_e_err"])
    power = unflatten(row["poly_mag"], int(row["poly_order"]))
    cards: list[tuple[str, Any, str]] = [
        ("CALMEAN", NJY_MAG0 / mag0, "[nJy/electron] mean calibration"),
        ("CALERR", NJY_MAG0 * error / mag0**2, "[nJy/electron] one sigma of CALMEAN"),
        ("FLUXMAG0", mag0, "[electron] counts of an AB magnitude of 0"),
        ("FLUXMAG0ERR", error, "[electron] one sigma of FLUXMAG0"),
        ("ORDER", int(row["poly_order"]), "order of the polynomial"),
        ("ABSOLUTE", True, "tied to reference magnitudes"),
        ("CHEBYSHEV", False, "plain powers"),
        ("NCOEFF", len(row["poly_mag"]), "number of coefficients"),
        ("U_MAX", 1.0, "[pix] scale of x + X0"),
        ("V_MAX", 1.0, "[pix] scale of y + Y0"),
        ("X0", float(row["x0_pix"]), "[pix] added to x of the image"),
        ("Y0", float(row["y0_pix"]), "[pix] added to y of the image"),
    ]
    order = len(power) - 1
    cards += [
        (f"C_{p}_{q}", float(power[p, q]), f"[mag/pix^{p + q}]") for p in range(order + 1) for q in range(order + 1 - p)
    ]
    return [
        *cards,
        ("JACAREA", float(row["jacobian_area_deg2"]), "[deg2] pixel area where the area's factor is 1"),
        ("STATUS", str(row["scale_status"]), "solved or extrapolated"),
    ]


def _write(path: Path, cards: Any) -> tuple[int, str]:
    """Write a header file under a temporary name and rename it; its size and SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{PREFIX}{os.getpid()}-{path.name}")
    product.write_header(temporary, cards)
    content = temporary.read_bytes()
    temporary.rename(path)
    return len(content), hashlib.sha256(content).hexdigest()
