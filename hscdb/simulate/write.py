"""Simulated frames, catalogs and truth as files: `hscdb simulate`."""

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hscdb.errors import ConfigError
from hscdb.fits import hdu
from hscdb.simulate import exposure, frame, header, refcat, truth
from hscdb.simulate.exposure import Exposure
from hscdb.simulate.setup import Setup

Report = Callable[[int, int, str], None]


def simulate(out: Path, setup: Setup, jobs: int = 1, report: Report | None = None) -> dict[str, int]:
    """Write raw/, calib/, the reference catalogs and the truth tables under `out`; returns how many of each.

    report(done, total, file name) is called after each frame. The files do not depend on `jobs`. Existing files of the
    same names are replaced. ConfigError for a camera, filter or CCD that is not there.
    """
    camera = frame.camera_of(setup)
    ccds = list(setup.ccds) or [number for number, ccd in camera.ccds.items() if ccd.is_science]
    strange = [number for number in ccds if number not in camera.ccds]
    if strange:
        raise ConfigError(
            f"simulate: camera {camera.name} has no ccd {strange} (it has {len(camera.ccds)}).", "unknown_ccd"
        )
    planned = exposure.exposures(setup, camera)
    for folder in (out / "raw", out / "calib"):
        folder.mkdir(parents=True, exist_ok=True)
    work = [(one, number) for one in planned for number in ccds]
    sources = []
    for done, ((one, number), rows) in enumerate(zip(work, _map(out, setup, work, jobs), strict=True), 1):
        sources.append(rows)
        if report is not None:
            report(done, len(work), header.file_name(camera, one, camera.ccds[number]))
    objects = frame.objects_of(setup, planned, ccds)
    gaia, ps1 = refcat.gaia(setup, objects), refcat.ps1(setup, objects)
    source = np.concatenate([np.zeros(0, truth.SOURCE), *sources])
    write_table(out / "refcat_gaia.fits", "gaia_dr3", gaia, refcat.GAIA_UNITS)
    write_table(out / "refcat_ps1.fits", "ps1_dr1", ps1, refcat.PS1_UNITS)
    for name, rows in (
        ("star", truth.star_table(camera, exposure.filters(setup, camera), objects)),
        ("visit", truth.visit_table(planned)),
        ("ccd", truth.ccd_table([exposure.ccd_truth(setup, camera.ccds[number]) for number in ccds])),
        ("source", source),
    ):
        units = {column: truth.unit_of(column) for column in rows.dtype.names or ()}
        write_table(out / f"truth_{name}.fits", f"truth_{name}", rows, units)
    kinds = [one.kind for one, _ in work]
    return {
        "n_raw": kinds.count("science"), "n_bias": kinds.count("bias"), "n_dark": kinds.count("dark"),
        "n_flat": kinds.count("flat"), "n_star": int((~objects["is_galaxy"]).sum()),
        "n_galaxy": int(objects["is_galaxy"].sum()), "n_source": len(source), "n_gaia": len(gaia), "n_ps1": len(ps1),
    }  # fmt: skip


def write_frame(out: Path, setup: Setup, one: Exposure, ccd: int) -> NDArray[np.void]:
    """Make one frame and write it; returns the truth of its sources."""
    camera = frame.camera_of(setup)
    raw, sources = frame.make(setup, one, ccd)
    cards = header.cards(setup, camera, one, camera.ccds[ccd])
    folder = "raw" if one.kind == "science" else "calib"
    write_raw(out / folder / header.file_name(camera, one, camera.ccds[ccd]), raw, cards)
    return sources


def write_raw(path: Path, raw: NDArray[np.uint16], cards: Iterable[tuple[Any, ...]]) -> None:
    """One image of unsigned 16-bit numbers, stored signed with BZERO = 32768; written aside, then renamed."""
    top = hdu.image_header(raw.shape, "i2", None, cards, primary=True)
    top["EXTEND"] = False
    hdu.set_cards(top, [("BSCALE", 1.0, "Default scaling factor"), ("BZERO", 32768, "Offset to unsigned short")])
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    with aside.open("wb") as file:
        file.write(hdu.header_bytes(top))
        hdu.write_pixels(file, (raw ^ np.uint16(0x8000)).view(np.int16))
    aside.replace(path)


def write_table(path: Path, name: str, rows: NDArray[np.void], units: dict[str, str]) -> None:
    """One binary table after an empty first HDU; written aside, then renamed."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    with aside.open("wb") as file:
        file.write(hdu.header_bytes(hdu.image_header((), "i2", None, [], primary=True)))
        hdu.write_table(file, hdu.Table(name, rows, units))
    aside.replace(path)


def _map(out: Path, setup: Setup, work: list[tuple[Exposure, int]], jobs: int) -> Iterator[NDArray[np.void]]:
    """write_frame over the work, in order; with `jobs` processes, forked from one that has imported all this."""
    ones, ccds = zip(*work, strict=True) if work else ((), ())
    if jobs <= 1 or len(work) <= 1:
        yield from map(write_frame, repeat(out), repeat(setup), ones, ccds)
        return
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with ProcessPoolExecutor(min(jobs, len(work)), context) as pool:
        yield from pool.map(write_frame, repeat(out), repeat(setup), ones, ccds)
