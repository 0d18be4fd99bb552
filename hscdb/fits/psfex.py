"""PSF models of PSFEx: from their tables to ours.

A model is PSF(X, Y) = sum_k x^i y^j mask_k, i + j <= POLDEG1, the power of x running fastest, with x = (X - POLZERO1) /
POLSCAL1 and X the 1-based pixel; mask_k is sampled every PSF_SAMP pixels (Bertin 2011, ASP Conf. 442, 435; PSFEx
manual, "The PSF file"). PSFEx writes the numbers as cards over one row; the Legacy Surveys' merged files hold one row
per CCD with the numbers as columns of the same names in small letters.
"""

from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hscdb.errors import DataError, InputError
from hscdb.fits import header, table
from hscdb.image.psf import Psf, n_term

LANCZOS = 4  # PSFEx and SExtractor interpolate their models so


def read_psfex(path: Path, shape: tuple[int, int], ccd_name: str | None = None, hdu: int = 1) -> Psf:
    """The PSF of a frame of `shape` (ny, nx) from a model of PSFEx (.psf, or rows of many CCDs).

    ccd_name : which row, where there is a column ccdname.
    InputError `no_psf` if there is no such table or row, DataError `bad_psf` for a model of more or other variables
    than the pixel's place.
    """
    columns = table.read_columns(path, hdu)
    names = {name.lower(): name for name in columns}
    if "psf_mask" not in names or not len(columns[names["psf_mask"]]):
        raise InputError(f"{path}: no PSF model of PSFEx in HDU {hdu} (no column psf_mask).", code="no_psf")
    row = 0
    if "ccdname" in names and ccd_name is not None:
        own = np.flatnonzero(np.char.strip(columns[names["ccdname"]].astype(str)) == ccd_name)
        if not len(own):
            raise InputError(f"{path}: no PSF model of ccd {ccd_name}.", code="no_psf")
        row = int(own[0])
    words = {key.lower(): content for key, content in header.read_header(path, hdu).items()}
    words |= {name: columns[column][row] for name, column in names.items() if name != "psf_mask"}
    return _psf(path, np.asarray(columns[names["psf_mask"]][row], np.float64), words, shape)


def _psf(path: Path, mask: npt.NDArray[np.float64], words: dict[str, Any], shape: tuple[int, int]) -> Psf:
    degree = int(words.get("poldeg1", 0)) if int(words.get("polnaxis", 0)) else 0
    if mask.ndim == 2:
        mask = mask[None]
    if len(mask) != n_term(degree) or (degree and int(words["polnaxis"]) != 2):
        raise DataError(
            f"{path}: the PSF model has {len(mask)} terms in {words.get('polnaxis')} variables; only polynomials of "
            "x and y are known.",
            code="bad_psf",
        )
    stamps = _on_pixels(mask, float(words.get("psf_samp", 1.0)))
    if degree == 0:
        return Psf(stamps / stamps.sum(), 0, "constant", shape)
    line = []
    for axis, n in ((1, shape[1]), (2, shape[0])):
        zero, scale = float(words[f"polzero{axis}"]), float(words[f"polscal{axis}"])
        # X = 1 + (n - 1) (1 + u) / 2
        line.append(((1 + (n - 1) / 2 - zero) / scale, max(n - 1, 1) / 2 / scale))
    (x0, x1), (y0, y1) = line
    place = {(p, q): k for k, (p, q) in enumerate((t - j, j) for t in range(degree + 1) for j in range(t + 1))}
    coefficient = np.zeros_like(stamps)
    powers = [(i, j) for j in range(degree + 1) for i in range(degree + 1 - j)]
    for stamp, (i, j) in zip(stamps, powers, strict=True):
        for p in range(i + 1):
            for q in range(j + 1):
                factor = comb(i, p) * x0 ** (i - p) * x1**p * comb(j, q) * y0 ** (j - q) * y1**q
                coefficient[place[p, q]] += factor * stamp
    return Psf(coefficient / coefficient[0].sum(), degree, "pixel", shape)


def _on_pixels(mask: npt.NDArray[np.float64], step: float) -> npt.NDArray[np.float64]:
    """Stamps (n_term, m, m) at whole pixels from a model sampled every `step` pixels; m is odd."""
    n = mask.shape[1]
    half = max(int((n // 2) * step), 1)
    if step == 1.0 and n % 2 == 1:
        return mask
    offset = np.arange(-half, half + 1)[:, None] / step - (np.arange(n) - n // 2)[None, :]
    kernel = np.where(np.abs(offset) < LANCZOS, np.sinc(offset) * np.sinc(offset / LANCZOS), 0.0)
    return np.asarray(np.einsum("ai,kij,bj->kab", kernel, mask, kernel))
