"""Models of the joint solution in a repository: jointcal's, affine CCDs, epochs, relative magnitudes; their files."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from joint_world import World, build
from test_mosaic_stage import Solved, solver

from hscdb.fits import solution
from hscdb.mosaic.stage import Config
from hscdb.run.config import knobs
from hscdb.sky import sphere


@pytest.fixture
def solve(fresh_dsn, tmp_path):
    """A world in, solved out."""
    yield from solver(fresh_dsn, tmp_path)


def products(solved: Solved, dataset: str) -> dict:
    found = solved.rows("SELECT visit, ccd, path FROM product WHERE dataset = %s ORDER BY visit, ccd", dataset)
    return {(r.visit, r.ccd): solved.repository.path / r.path for r in found}


def made(field_mag: float = 0.02) -> World:
    world = build(per_ccd=150, noise_pix=2e-3, mag_noise=1e-3, n_visit=6, seed=12, field_mag=field_mag)
    world.ref_mag_err = 2e-3
    return world


@pytest.mark.parametrize(
    ("layout", "folder"), [("tract", "jointcal-results/0000"), ("filter", "jointcal-results/HSC-R/0000")]
)
def test_jointcal_solves_the_same_sky_and_its_files_say_so(solve, layout, folder) -> None:
    found = solve(made(), "mosaic.model=jointcal", f"mosaic.jointcal_folder={layout}",
                  "mosaic.ref_magnitude_floor_mag=0.001")  # fmt: skip
    world = found.world
    assert max(np.median(e) for e in found.wcs_error_mas().values()) < 1.0
    assert np.std(np.concatenate(list(found.scale_error_mmag().values()))) < 1.5
    assert found.summary().model["photometry"]["model"] == "constrainedMagnitude"
    (told,) = found.rows("SELECT DISTINCT map_order, cardinality(map_pix) AS n FROM mosaic_ccd")
    assert (told.map_order, told.n) == (1, 3)
    wcs, scale = products(found, "jointcal_wcs"), products(found, "jointcal_photoCalib")
    assert sorted(wcs) == sorted(scale) == sorted(world.frames)
    for (visit, ccd), path in wcs.items():
        assert path.parent.as_posix().endswith(f"rerun/joint/{folder}")
        assert path.name == f"jointcal_wcs-{visit:07d}-{ccd:03d}.fits"
        x, y = found.grid(ccd)
        header = fits.getheader(path)
        del header["NAXIS"]  # astropy warns of more axes than pixels
        places = WCS(header).all_pix2world(x, y, 0)
        assert sphere.separation(*places, *world.to_sky(visit, ccd, x, y)).max() * 3.6e6 < 6.0
        card = fits.getheader(scale[visit, ccd])
        p = sum(card[f"C_{i}_{j}"] * (x + card["X0"]) ** i * (y + card["Y0"]) ** j
                for i in range(card["ORDER"] + 1) for j in range(card["ORDER"] + 1 - i))  # fmt: skip
        jacobian = found.wcs()[visit, ccd][1].pixel_area(x, y) / card["JACAREA"]
        njy = card["CALMEAN"] * 10 ** (-0.4 * p) * jacobian
        np.testing.assert_allclose(-2.5 * np.log10(njy / 3631e9), found.scale_mag(visit, ccd, x, y), atol=1e-9)
        # and as the readers have it
        where = solution.read_wcs(path)
        read = solution.read_photo_calib(scale[visit, ccd]).njy_per_count(x, y, where)
        np.testing.assert_allclose(read, njy, rtol=1e-9)
        # of 36 terms per visit of 600 stars the corners are known worst
        assert np.std(-2.5 * np.log10(njy / 3631e9) - world.scale_mag(visit, ccd, x, y)) < 0.004
        assert pytest.approx(3631e9 / card["FLUXMAG0"]) == card["CALMEAN"]


def test_one_scale_per_frame_and_a_relative_zero_are_stored(solve) -> None:
    found = solve(made(0.0), "mosaic.photometry_model=simpleFlux", "mosaic.flux_absolute=false")
    told = found.summary().model["photometry"]
    assert (told["model"], told["is_relative"]) == ("simpleFlux", True)
    scales = found.scales()
    assert {r.poly_order for r in scales.values()} == {0}
    for (visit, ccd), r in scales.items():
        x, y = found.grid(ccd)
        error = np.mean(found.scale_mag(visit, ccd, x, y) - found.world.scale_mag(visit, ccd, x, y))
        assert abs(error) < 0.004
        assert r.visit_mag + r.ccd_mag == pytest.approx(2.5 * np.log10(r.flux_mag0_e))
    header = fits.getheader(next(iter(products(found, "fcr").values())))
    assert header["ABSOLUTE"] is False


def test_ccds_that_were_moved_have_a_row_of_each_epoch(solve) -> None:
    world = made()
    days = sorted(one.mjd for one in world.visits.values())
    assert days[2] < 57300 < days[4]
    found = solve(world, 'mosaic.ccd_epochs=["2015-10-05"]')  # MJD 57300
    rows = found.rows("SELECT ccd, epoch, n_obs FROM mosaic_ccd ORDER BY ccd, epoch")
    assert [(r.ccd, r.epoch) for r in rows] == [(c, e) for c in sorted(world.ccds) for e in (0, 1)]
    assert min(r.n_obs for r in rows) > 50
    assert found.summary().n_ccd == len(world.ccds)
    assert max(np.median(e) for e in found.wcs_error_mas().values()) < 1.0


def test_motions_and_colors_are_solved_and_stored_when_asked_for(solve) -> None:
    found = solve(made(), "mosaic.solve_motions=true", "mosaic.solve_color=true")
    world, model = found.world, found.summary().model
    assert set(model["astrometry"]["color_mas_per_mag"]) == {str(v) for v in world.visits}
    assert np.abs(list(model["astrometry"]["color_mas_per_mag"].values())).max() < 1.5
    assert np.abs(list(model["photometry"]["color_mmag_per_mag"].values())).max() < 3.0
    rows = found.rows("SELECT star_id, n_obs, pm_ra_mas_yr AS east, pm_dec_mas_yr AS north, "
                      "pm_ra_mas_yr_err AS east_err, pm_dec_mas_yr_err AS north_err "
                      "FROM star_solution WHERE pm_ra_mas_yr IS NOT NULL")  # fmt: skip
    star = np.array([r.star_id - 1 for r in rows])
    # references have a motion of their own
    assert not world.has_ref[star].any()
    often = np.array([r.n_obs for r in rows]) >= 5
    pull = np.array([[r.east / r.east_err, r.north / r.north_err] for r in rows])
    truth = world.pm[star] / np.array([[r.east_err, r.north_err] for r in rows])
    assert often.sum() > 30
    assert np.median(np.abs(pull - truth)[often]) < 1.2
    assert max(np.median(e) for e in found.wcs_error_mas().values()) < 1.0


@pytest.mark.parametrize("word", ["mosaic.ccd_epochs=[\"last year\"]", "mosaic.ccd_order=9"])
def test_settings_that_make_no_model_are_refused(solve, word) -> None:
    assert solve(made(), word).failures() == {"bad_setting"}


def test_jointcals_own_names_of_settings_are_known() -> None:
    names = " ".join(knob.was for knob in knobs("mosaic", Config).values())
    for old in ("photometryModel", "astrometryChipOrder",
                "astrometryVisitOrder", "photometryVisitOrder", "outlierRejectSigma"):  # fmt: skip
        assert old in names.replace(",", " ").split()
