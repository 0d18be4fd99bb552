"""mosaic's files of HSC visit 11506 in tract 8766, which its authors published with their tests.

They are looked for in HSCDB_TESTDATA (or ../shared/data beside the checkout), folder `mosaic`: fcr-0011506-CCD.fits and
jointcal_photoCalib-0011506-CCD.fits of CCDs 49, 50, 101, 102, one of each number of quarter turns.
"""

import os
from pathlib import Path

import numpy as np
import pytest

from hscdb.camera.load import load
from hscdb.fits import solution

DATA = Path(os.environ.get("HSCDB_TESTDATA", Path(__file__).resolve().parents[3] / "shared" / "data")) / "mosaic"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"no files of hscPipe's mosaic in {DATA} (HSCDB_TESTDATA)")

# ccd: P at the centre [mag], FLUXMAG0
FACTS = {49: (0.00059, 1.024914e13), 50: (-0.00171, 1.023993e13), 101: (-0.04727, 1.027308e13),
         102: (-0.03077, 1.042618e13)}  # fmt: skip


@pytest.mark.parametrize("ccd", FACTS)
def test_field_and_zero_are_those_that_were_measured(ccd: int) -> None:
    chip = load("hsc").ccds[ccd]
    found = solution.read_fcr(DATA / f"fcr-0011506-{ccd:03d}.fits")
    center, mag0 = FACTS[ccd]
    assert float(found.eval(*solution.turned(1023.5, 2087.5, chip.n_quarter, 2048, 4176))) == pytest.approx(
        center, abs=6e-6
    )
    assert found.mag0 == pytest.approx(mag0, rel=1e-6)
    assert abs(found.power[0, 0]) < 1e-16
    assert found.power[1, 0] == pytest.approx(-4.3051e-6, rel=1e-4)
    assert found.power[2, 0] == pytest.approx(-6.4958e-10, rel=2e-4)


@pytest.mark.parametrize("ccd", FACTS)
def test_the_photo_calib_of_a_frame_says_what_its_fcr_file_says(ccd: int) -> None:
    chip = load("hsc").ccds[ccd]
    fcr = solution.read_fcr(DATA / f"fcr-0011506-{ccd:03d}.fits")
    found = solution.read_photo_calib(DATA / f"jointcal_photoCalib-0011506-{ccd:03d}.fits")
    assert found.n_quarter == chip.n_quarter % 4
    x, y = np.meshgrid(np.linspace(0, 2047, 9), np.linspace(0, 4175, 9))
    njy = 3.63078e12 / fcr.mag0 * fcr.factor(*solution.turned(x, y, chip.n_quarter, 2048, 4176))
    np.testing.assert_allclose(found.njy_per_count(x, y), njy, rtol=1e-6)
