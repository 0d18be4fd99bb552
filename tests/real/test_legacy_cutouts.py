"""PSF models of PSFEx and inverse variances of real DECam cut-outs are read and used: as functions, and by commands.

Six exposures of one field of the Legacy Surveys' test cases (needs HSCDB_TESTDATA, or ../shared/data): a star of 13th
magnitude in the middle, one of 20.6 (z) near a corner.
"""

import os
from pathlib import Path

import numpy as np
import psycopg
import pytest

from hscdb.cli import main
from hscdb.detect import frame
from hscdb.errors import InputError
from hscdb.fits import header, product, raw, table
from hscdb.fits.psfex import read_psfex
from hscdb.image.mask import BAD
from hscdb.image.plane import Image

HERE = Path(__file__).parent
DATA = Path(os.environ.get("HSCDB_TESTDATA", HERE.parents[2] / "shared" / "data"))
DATA = DATA / "images" / "decam_legacypipe" / "testcase6"
pytestmark = [pytest.mark.real, pytest.mark.skipif(not DATA.is_dir(), reason=f"no cut-outs in {DATA}")]
NAMES = ("filter", "ccdname", "image_filename", "fwhm", "ccdzpt", "exptime")


def exposures():
    """(row of survey-ccds, image [adu], inverse variance [1/adu^2], gain, path of the PSF model) of each exposure."""
    columns = table.read_columns(DATA / "survey-ccds-1.fits.gz", 1)
    for k in range(len(columns["expnum"])):
        row = {name: columns[name][k] for name in NAMES}
        path = DATA / "images" / f"{str(row['image_filename']).strip()}.gz"
        weight = Path(str(path).replace("_ooi_", "_oow_"))
        stem = path.name.split(".")[0]
        model = next((DATA / "calib" / "psfex").glob(f"**/{stem}-psfex.fits.gz"))
        gain = float(header.read_header(path, 1)["GAINA"])
        yield row, raw._compressed(path, 1), raw._compressed(weight, 1), gain, model


@pytest.fixture(scope="module")
def measured():
    """[(row, PSF, what detect finds with it and the inverse variance)] of the six exposures."""
    result = []
    for row, pixels, weight, gain, model in exposures():
        seen = weight > 0
        variance = np.where(seen, gain**2 / np.where(seen, weight, 1.0), np.nan).astype(np.float32)
        image = Image((pixels * gain).astype(np.float32), variance, np.where(seen, 0, BAD).astype(np.int32))
        psf = read_psfex(model, image.shape, str(row["ccdname"]).strip())
        result.append((row, psf, frame.characterize(image, frame.Limits(do_scale_variance=False), 1, given=psf)))
    return result


def test_models_of_psfex_are_as_wide_as_the_survey_says(measured):
    assert len(measured) == 6
    for row, psf, _ in measured:
        assert psf.order == 2
        assert psf.at(50.0, 50.0).sum() == pytest.approx(1.0)
        assert 2.3548 * psf.sigma(50.0, 50.0)[0] == pytest.approx(row["fwhm"], rel=0.06)


def test_the_inverse_variance_is_the_noise_of_the_sky(measured):
    n_judged = 0
    for row, _, found in measured:
        image = found.image
        free = image.mask == 0
        if free.sum() < 900:  # in three exposures the star's halo fills the cut-out
            continue
        n_judged += 1
        pull = image.data[free] / np.sqrt(image.variance[free])
        assert 0.9 < 1.4826 * np.median(np.abs(pull - np.median(pull))) < 1.15, row["image_filename"]
    assert n_judged == 3


def test_fluxes_under_the_given_psf_agree_between_exposures(measured):
    seen = []
    for row, psf, found in measured:
        assert found.psf is psf
        c = found.columns
        near = np.flatnonzero(np.hypot(c["x"] - 92.4, c["y"] - 6.9) < 1.0)
        if str(row["filter"]).strip() == "z":
            assert len(near) == 1
            flux, error = c["psf_flux"][near[0]], c["psf_flux_err"][near[0]]
            gain = 3.9
            seen.append((-2.5 * np.log10(flux / gain / row["exptime"]) + row["ccdzpt"], 1.0857 * error / flux))
    (one, one_err), (two, two_err) = seen
    assert one == pytest.approx(two, abs=3 * np.hypot(one_err, two_err) + 0.03)  # 0.03: the gains, taken as one
    assert one == pytest.approx(20.6, abs=0.2)


def test_a_missing_model_or_ccd_is_told():
    _, pixels, _, _, model = next(exposures())
    with pytest.raises(InputError) as caught:
        read_psfex(model, pixels.shape, "N1")
    assert caught.value.code == "no_psf"
    with pytest.raises(InputError):
        read_psfex(DATA / "survey-ccds-1.fits.gz", pixels.shape)


def test_the_model_and_the_weights_are_found_by_the_settings_of_a_camera(server_dsn, template, tmp_path):
    name = f"hscdb_cutout_{os.getpid()}"
    image = DATA / "images/decam/CP/V4.8.2a/CP20150109/c4d_150110_053718_ooi_z_ls9.S4.fits.gz"
    with psycopg.connect(server_dsn, autocommit=True, dbname="postgres") as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        dsn = psycopg.conninfo.make_conninfo(server_dsn, dbname=name)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HSCDB_DSN", dsn)
            assert main(["init", str(tmp_path), "--camera", str(HERE / "legacy_cutout.toml")]) == 0
            assert main(["ingest", str(tmp_path), str(image)]) == 0
            assert main(["run", str(tmp_path), "isr..detect", "--rerun", "own", "--id"]) == 0
            odd = ["run", str(tmp_path), "isr..detect", "--rerun", "odd", "--id", "-c", "detect.psf_path=nowhere => x"]
            assert main(odd) == 1
        with psycopg.connect(dsn, row_factory=psycopg.rows.dict_row) as connection:
            quality = connection.execute("SELECT * FROM frame_quality").fetchall()
            failed = connection.execute("SELECT reason FROM task WHERE status = 'failed'").fetchall()
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    assert [row["psf_order"] for row in quality] == [2]
    assert quality[0]["seeing_arcsec"] == pytest.approx(4.18 * 0.2623, rel=0.06)
    weight = raw._compressed(Path(str(image).replace("_ooi_", "_oow_")), 1)
    corr = next((tmp_path / "rerun" / "own").glob("**/CORR-*.fits"))
    variance, plane = (product.read_plane(corr, name) for name in ("VARIANCE", "MASK"))
    seen = weight > 0
    assert variance[seen] == pytest.approx(3.87251414**2 / weight[seen], rel=1e-5)  # GAINA of the header
    assert ((plane[~seen] & BAD) != 0).all()
    assert [row["reason"] for row in failed] == ["bad_setting"]
