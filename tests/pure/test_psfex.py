"""A PSF model of PSFEx, written here as its manual says, gives the stamps that its polynomial gives."""

import numpy as np
import pytest

from hscdb.errors import DataError
from hscdb.fits import product
from hscdb.fits.psfex import read_psfex

SHAPE = (400, 200)
ZERO, SCALE = (103.5, 190.0), (97.0, 210.0)


def gauss(n, step, sigma, x=0.0):
    at = (np.arange(n) - n // 2) * step
    return np.exp(-0.5 * ((at[None, :] - x) ** 2 + at[:, None] ** 2) / sigma**2)


def write(path, mask, degree, step, n_axis=2):
    rows = np.zeros(1, [("PSF_MASK", "f4", mask.shape)])
    rows["PSF_MASK"][0] = mask
    cards = {"POLNAXIS": n_axis, "POLNGRP": 1, "POLDEG1": degree, "PSF_SAMP": step, "PSF_FWHM": 4.0}
    for k in (0, 1):
        cards |= {f"POLZERO{k + 1}": ZERO[k], f"POLSCAL{k + 1}": SCALE[k], f"POLNAME{k + 1}": "XY"[k] + "_IMAGE"}
    product.write_header(path, (), [product.Table("PSF_DATA", rows, None, cards)])


def test_the_polynomial_runs_in_the_pixels_of_the_frame(tmp_path):
    rng = np.random.default_rng(4)
    mask = np.stack([gauss(21, 1.0, 1.8)] + [0.02 * rng.normal(size=(21, 21)) * gauss(21, 1.0, 1.8) for _ in range(5)])
    write(tmp_path / "a.psf", mask, 2, 1.0)
    psf = read_psfex(tmp_path / "a.psf", SHAPE)
    for column, row in ((0.0, 0.0), (199.0, 399.0), (57.0, 301.0)):
        x, y = (column + 1 - ZERO[0]) / SCALE[0], (row + 1 - ZERO[1]) / SCALE[1]
        terms = np.array([1.0, x, x * x, y, x * y, y * y])  # the power of x runs fastest
        wanted = np.tensordot(terms, mask, 1)
        assert psf.at(column, row) == pytest.approx(wanted / wanted.sum(), abs=1e-6)


@pytest.mark.parametrize("step", [0.5, 0.8])
def test_a_finer_model_is_brought_to_whole_pixels(tmp_path, step):
    write(tmp_path / "fine.psf", gauss(45, step, 1.7, x=0.3)[None], 0, step, n_axis=0)
    psf = read_psfex(tmp_path / "fine.psf", SHAPE)
    assert psf.model == "constant"
    wanted = gauss(psf.size, 1.0, 1.7, x=0.3)
    assert psf.at(10.0, 10.0) == pytest.approx(wanted / wanted.sum(), abs=2e-4)


def test_a_model_in_other_variables_is_refused(tmp_path):
    write(tmp_path / "odd.psf", np.stack([gauss(11, 1.0, 1.5)] * 4), 1, 1.0, n_axis=3)
    with pytest.raises(DataError) as caught:
        read_psfex(tmp_path / "odd.psf", SHAPE)
    assert caught.value.code == "bad_psf"
