"""The whole chain on a small sky whose truth is known: counts, files, rows, and the truth."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from scipy.spatial import cKDTree
from toy import VISITS, World, content, untidy

from hscdb.image.mask import word
from hscdb.sky.polynomial import unflatten
from hscdb.sky.wcs import Wcs

N_FRAME = 12  # 3 visits of 4 ccds

# What does not depend on rounding: counts of frames, files and pixels.
EXACT = {
    "isr": {"n_pixel": N_FRAME * 512 * 512, "n_amplifier_bad": 0, "n_bad": 3 * (1024 + 200)},
    "skymap": {"n_frame": N_FRAME, "n_tract": 1, "n_patch": 1, "n_frame_tract": N_FRAME, "n_frame_patch": N_FRAME},
    "match": {"n_frame": N_FRAME, "n_visit": 3, "n_duplicate": 0},
    "mosaic": {"n_frame": N_FRAME, "n_frame_solved": N_FRAME, "n_visit": 3, "n_visit_solved": 3},
    "apply": {"n_image": N_FRAME, "n_catalog": N_FRAME, "n_joint": N_FRAME, "n_extrapolated": 0},
}
# What stars and noise decide. Rounding of another processor or library may move a few across a threshold.
GOLDEN = {
    "detect": {"n_peak": 920, "n_source": 1072, "n_parent": 152, "n_psf_star": 252},
    "calibrate": {"n_pair_used": 541, "n_photometry_used": 303},
    "match": {"n_observation": 407, "n_member": 407, "n_star": 179, "n_with_ref": 179},
    "mosaic": {"n_astrometry_used": 354, "n_photometry_used": 334},
}
TOLERANCE = 0.05


def test_every_task_is_done(world: World) -> None:
    found = world.tasks("whole")
    assert set(found.values()) == {"done"}
    stages = [stage for stage, _ in found]
    wanted = dict.fromkeys(("isr", "detect", "calibrate", "apply"), N_FRAME)
    assert {stage: stages.count(stage) for stage in set(stages)} == wanted | dict.fromkeys(
        ("skymap", "match", "mosaic", "qa"), 1
    )


def test_counts_of_the_funnel_are_as_before(world: World) -> None:
    for stage, counts in EXACT.items():
        found = world.funnel("whole", stage)
        assert {name: found[name] for name in counts} == counts, stage
    for stage, counts in GOLDEN.items():
        found = world.funnel("whole", stage)
        assert {name: found[name] for name in counts} == pytest.approx(counts, rel=TOLERANCE), stage


def test_no_source_is_lost_from_stage_to_stage(world: World) -> None:
    n_source = world.funnel("whole", "detect")["n_source"]
    assert world.funnel("whole", "calibrate")["n_source_sky"] == n_source
    assert world.funnel("whole", "apply")["n_calibrated"] == n_source
    assert world.funnel("whole", "match")["n_member"] == len(content(world, "whole")["star_residual"])
    for table in ("source", "source_sky", "calibrated_source"):
        found = world.rows(f"SELECT count(*) FROM {table} JOIN run USING (run_id) WHERE name = 'whole'")
        assert found == [(n_source,)], table


@pytest.mark.parametrize("run", ["whole", "calib"])
def test_every_file_has_its_row_and_opens(world: World, run: str) -> None:
    assert untidy(world, run) == set()
    for name in world.files(run):
        path = world.repository / name
        if path.suffix != ".fits":
            beginnings = {".png": b"\x89PNG", ".html": b"<!DO", ".dat": b"#"}
            assert path.read_bytes().startswith(beginnings[path.suffix]), name
            continue
        with fits.open(path) as hdus:
            hdus.verify("exception")
            for hdu in hdus:
                assert hdu.data is None or hdu.data.size


def test_products_are_those_hscpipe_would_have_written(world: World) -> None:
    found = dict(
        world.rows(
            "SELECT dataset, count(*) FROM product JOIN run USING (run_id) "
            "WHERE name = 'whole' AND swept_at IS NULL GROUP BY 1"
        )
    )
    wanted = ("calexp", "src", "wcs", "fcr", "calibrated_exp", "calibrated_src")
    assert {name: found.get(name) for name in wanted} == dict.fromkeys(wanted, N_FRAME)
    assert {"ResPosScatter", "MdM", "visitRms"} <= set(found)
    place = world.repository / "rerun/whole/00671/HSC-R"
    assert (place / "corr/CORR-0902802-003.fits").exists()
    assert (place / "corr/0000/CALEXP-0902802-003.fits").exists()
    assert (place / "output/0000/CALSRC-0902802-003.fits").exists()


def row(world: World, table: str, visit: int, ccd: int) -> dict[str, Any]:
    """The row of a frame from the joint solution."""
    columns = [
        name for (name,) in world.rows("SELECT column_name FROM column_doc WHERE table_name = %s", table)
    ]  # fmt: skip
    listed = ", ".join(columns).replace("sip_a", "sip_a::float8[]").replace("sip_b", "sip_b::float8[]")
    listed = listed.replace("poly_mag", "poly_mag::float8[]")
    ((*found,),) = world.rows(
        f"SELECT {listed} FROM {table} JOIN run USING (run_id) WHERE name = 'whole' AND stage = 'mosaic' "
        "AND visit = %s AND ccd = %s", visit, ccd,
    )  # fmt: skip
    return dict(zip(columns, found))


_PLACES = (("crval", "deg"), ("crpix", "pix"))


def wcs_of(found: dict[str, Any]) -> Wcs:
    cd = [found[f"cd{i}_{j}_deg"] for i in (1, 2) for j in (1, 2)]
    crval, crpix = ((found[f"{name}1_{unit}"], found[f"{name}2_{unit}"]) for name, unit in _PLACES)
    return Wcs.from_flat(crval, crpix, cd, found["sip_order"], found["sip_a"], found["sip_b"])


def in_run(world: World, kind: str, visit: int, ccd: int) -> Path:
    (found,) = (world.repository / "rerun/whole").rglob(f"{kind}-{visit:07d}-{ccd:03d}.fits")
    return found


@pytest.mark.parametrize("ccd", range(4))
@pytest.mark.parametrize("visit", VISITS)
def test_images_and_catalogs_hold_the_solution_of_the_rows(world: World, visit: int, ccd: int) -> None:
    wcs, scale = wcs_of(row(world, "wcs_solution", visit, ccd)), row(world, "flux_scale", visit, ccd)
    y, x = (axis.ravel() for axis in np.meshgrid(np.arange(0, 512, 32.0), np.arange(0, 512, 32.0), indexing="ij"))
    ra, dec = wcs.pixel_to_sky(x, y)
    calexp, corr = (in_run(world, kind, visit, ccd) for kind in ("CALEXP", "CORR"))
    with fits.open(calexp) as after, fits.open(corr) as before:
        theirs = WCS(after["IMAGE"].header)
        at = y.astype(int), x.astype(int)
        new, old, mask = (hdu.data[at].astype(float) for hdu in (after["IMAGE"], before["IMAGE"], after["MASK"]))
        mag0 = after[0].header["FLUXMAG0"]
    # astropy reads what we wrote, and finds our pixels where we find them
    px, py = wcs.sky_to_pixel(*theirs.all_pix2world(x, y, 0))
    assert np.hypot(px - x, py - y).max() < 1e-6
    # F = 10^(-0.4 P) J, with the pixel's area on the sphere from the four corners as astropy sees them
    power = unflatten(scale["poly_mag"], scale["poly_order"])
    factor = 10 ** (-0.4 * np.polynomial.polynomial.polyval2d(x + scale["x0_pix"], y + scale["y0_pix"], power))
    assert scale["has_jacobian"]
    factor *= area_deg2(theirs, x, y) / scale["jacobian_area_deg2"]
    assert mag0 == pytest.approx(scale["flux_mag0_e"], rel=1e-12)
    seen = (mask.astype(int) & ~word("BRIGHT_OBJECT") == 0) & (old != 0)  # so near bright stars are most of a toy CCD
    assert seen.sum() > 150
    assert np.abs(2.5 * np.log10(new[seen] / (old[seen] * factor[seen]))).max() < 1e-6
    # the catalog: places and fluxes of rows and file, by the same solution
    rows = np.array(
        world.rows(
            "SELECT c.source_id, x_pix, y_pix, c.ra, c.dec, psf_flux_e, psf_flux_njy, flux_factor "
            "FROM calibrated_source AS c JOIN run AS r ON r.run_id = c.run_id JOIN source AS s ON s.run_id = c.run_id "
            "AND s.visit = c.visit AND s.source_id = c.source_id "
            "WHERE r.name = 'whole' AND c.visit = %s AND c.ccd = %s ORDER BY 1", visit, ccd,
        ), float,
    )  # fmt: skip
    table = fits.getdata(in_run(world, "CALSRC", visit, ccd), "SRC")
    table = table[np.argsort(table["id"])]
    assert len(table) == len(rows) > 50
    for ra, dec in ((rows[:, 3], rows[:, 4]), np.degrees((table["coord_ra"], table["coord_dec"]))):
        px, py = wcs.sky_to_pixel(ra, dec)
        assert np.hypot(px - rows[:, 1], py - rows[:, 2]).max() < 1e-6
    there = rows[:, 5] > 0
    njy = 3631e9 * rows[:, 5] * rows[:, 7] / scale["flux_mag0_e"]
    assert np.abs(2.5 * np.log10(rows[:, 6] / njy)[there]).max() < 1e-6
    flux = table["base_PsfFlux_instFlux"][there]
    assert np.abs(2.5 * np.log10(flux / (rows[:, 5] * rows[:, 7])[there])).max() < 1e-6


def area_deg2(wcs: WCS, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Area of pixels on the sphere: the cross product of their diagonals as vectors, halved."""
    corner = []
    for dx, dy in ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)):
        ra, dec = np.radians(wcs.all_pix2world(x + dx, y + dy, 0))
        corner.append(np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1))
    cross = np.cross(corner[2] - corner[0], corner[3] - corner[1])
    return np.asarray(0.5 * np.linalg.norm(cross, axis=-1) * np.degrees(1) ** 2)


def test_places_and_magnitudes_are_those_of_the_simulation(world: World) -> None:
    truth = fits.getdata(world.sky / "truth_source.fits")
    truth = truth[(truth["mag"] < 22.0) & ~truth["is_galaxy"] & (truth["flux_e"] > 0)]
    rows = np.array(
        world.rows(
            "SELECT c.visit, c.ccd, x_pix, y_pix, c.ra, c.dec, -2.5 * log(psf_flux_njy / 3631e9) "
            "FROM calibrated_source AS c JOIN run AS r ON r.run_id = c.run_id JOIN source AS s ON s.run_id = c.run_id "
            "AND s.visit = c.visit AND s.source_id = c.source_id JOIN star_member AS m ON m.run_id = c.run_id "
            "AND m.visit = c.visit AND m.source_id = c.source_id WHERE r.name = 'whole' AND psf_flux_njy > 0"
        ), float,
    )  # fmt: skip
    key = rows[:, 0] * 200 + rows[:, 1]
    ours = cKDTree(np.stack([1e4 * (key - key.min()), rows[:, 2], rows[:, 3]], axis=1))
    place = np.stack([1e4 * (truth["visit"] * 200.0 + truth["ccd"] - key.min()), truth["x"], truth["y"]], axis=1)
    distance, index = ours.query(place, distance_upper_bound=1.0)
    found = np.isfinite(distance)
    rows, truth = rows[index[found]], truth[found]
    assert found.sum() > 200
    east = (rows[:, 4] - truth["ra"]) * np.cos(np.radians(truth["dec"])) * 3.6e6
    north = (rows[:, 5] - truth["dec"]) * 3.6e6
    mag = rows[:, 6] - truth["mag"]
    for residual, bias, scatter in ((east, 2.0, 5.0), (north, 2.0, 5.0), (1000 * mag, 10.0, 25.0)):
        assert abs(np.median(residual)) < bias
        assert 1.4826 * np.median(np.abs(residual - np.median(residual))) < scatter


def test_the_joint_solution_is_better_than_the_first_one(world: World) -> None:
    figures = {
        (metric, variant): (figure, n_used)
        for metric, variant, figure, n_used in world.rows(
            "SELECT metric, variant, figure, n_used FROM qa_metric JOIN run USING (run_id) "
            "WHERE name = 'whole' AND sample = 'all' AND visit IS NULL AND ccd IS NULL"
        )
    }
    for metric in ("internal_rms_ra", "internal_rms_dec", "internal_rms_mag"):
        (before, n_before), (after, n_after) = figures[metric, "before"], figures[metric, "after"]
        assert after < before, metric
        assert n_before == n_after > 80, metric
