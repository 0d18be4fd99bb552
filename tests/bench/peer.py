"""SExtractor, PSFEx and SCAMP on our detrended images, for the benches that compare: settings, files, CPU seconds.

The images they get are ours after isr, in electrons; the weight map is 1, and 0 where we know of no data; the flag map
is our mask. Settings are the programs' own defaults but for what describes the image (gain, seeing, saturation), a
detection filter of the seeing's width, our apertures, and a PSF stamp as large as ours.
"""

import os
import resource
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hscdb.fits import hdu, product
from hscdb.image import mask as planes
from hscdb.image.plane import Image

PROGRAMS = {"sextractor": ("source-extractor", "sex"), "psfex": ("psfex",), "scamp": ("scamp",)}
FOLDERS = ("/usr/share/source-extractor", "/usr/share/sextractor")
UNSEEN = int(planes.word("BAD", "NO_DATA", "UNMASKEDNAN"))
RADII = (3.0, 4.5, 6.0, 9.0, 12.0, 17.0, 25.0, 35.0, 50.0, 70.0)
# what PSFEx and SCAMP ask for, and what corresponds to our columns
FIRST = """NUMBER X_IMAGE Y_IMAGE XWIN_IMAGE YWIN_IMAGE ERRAWIN_IMAGE ERRBWIN_IMAGE ERRTHETAWIN_IMAGE FLUX_AUTO
FLUXERR_AUTO FLUX_RADIUS SNR_WIN ELONGATION FLAGS IMAFLAGS_ISO FLUX_APER(10) FLUXERR_APER(10) VIGNET(45,45)""".split()
PLACES = "NUMBER X_IMAGE Y_IMAGE FLAGS".split()
SECOND = """NUMBER X_IMAGE Y_IMAGE XWIN_IMAGE YWIN_IMAGE ERRX2WIN_IMAGE ERRY2WIN_IMAGE ERRXYWIN_IMAGE ERRAWIN_IMAGE
ERRBWIN_IMAGE ERRTHETAWIN_IMAGE XPSF_IMAGE YPSF_IMAGE FLUX_PSF FLUXERR_PSF SPREAD_MODEL SPREADERR_MODEL CLASS_STAR
FLUX_AUTO FLUXERR_AUTO KRON_RADIUS FLUX_RADIUS FLUX_MAX BACKGROUND SNR_WIN X2_IMAGE Y2_IMAGE XY_IMAGE X2WIN_IMAGE
Y2WIN_IMAGE XYWIN_IMAGE ELONGATION FLAGS IMAFLAGS_ISO FLUX_APER(10) FLUXERR_APER(10)""".split()


@dataclass(frozen=True)
class Run:
    """The catalog of a run of SExtractor, and the CPU seconds of the child process."""

    table: np.ndarray
    path: Path
    cpu_s: float


def find(name: str) -> str | None:
    """Path of a program, None if it is not installed."""
    return next((found for word in PROGRAMS[name] if (found := shutil.which(word))), None)


def missing(*names: str) -> list[str]:
    """Those of the programs that are not installed."""
    return [name for name in names if find(name) is None]


def _call(words: Sequence[Any], folder: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    told = subprocess.run([str(word) for word in words], cwd=folder, env=environment, capture_output=True, text=True)
    if told.returncode != 0:
        raise SystemExit(f"{words[0]} failed:\n{told.stdout}\n{told.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def write_inputs(folder: Path, image: Image, cards: Sequence[tuple[Any, ...]] = ()) -> None:
    """image.fits (with `cards`), weight.fits and flag.fits in `folder`, one plain HDU each."""
    unseen = (image.mask & UNSEEN) != 0
    weight = np.where(unseen, np.float32(0), np.float32(1))
    pixels = {"image": (image.data, "f4"), "weight": (weight, "f4"), "flag": (image.mask & 0x7FFF, "i4")}
    for name, (plane, kind) in pixels.items():
        with (folder / f"{name}.fits").open("wb") as file:
            own = list(cards) if name == "image" else []
            file.write(hdu.header_bytes(hdu.image_header(plane.shape, f"={kind}", None, own, primary=True)))
            hdu.write_pixels(file, np.ascontiguousarray(plane, dtype=kind))


def _filter(folder: Path, fwhm_pix: float) -> Path:
    """SExtractor's own Gaussian filter nearest to the seeing, or one made like it."""
    step = np.arange(-4, 5) if fwhm_pix > 4.5 else np.arange(-3, 4)
    kernel = np.exp(-(step[:, None] ** 2 + step**2) * 4 * np.log(2) / fwhm_pix**2)
    rows = "\n".join(" ".join(f"{value:.6f}" for value in row) for row in kernel)
    path = folder / "seeing.conv"
    path.write_text(f"CONV NORM\n{rows}\n")
    return path


def extract(
    folder: Path, name: str, columns: Sequence[str], fwhm_pix: float, saturation_e: float, psf: Path | None = None,
    threshold: float = 1.5, scale_arcsec: float = 0.168,
) -> Run:  # fmt: skip
    """SExtractor on the files of write_inputs: catalog `name`.ldac of `columns` (FIRST for PSFEx, PLACES, SECOND)."""
    (folder / f"{name}.param").write_text("\n".join(columns))
    share = next((one for one in FOLDERS if Path(one).is_dir()), FOLDERS[0])
    settings = {
        "CATALOG_NAME": f"{name}.ldac", "CATALOG_TYPE": "FITS_LDAC", "PARAMETERS_NAME": f"{name}.param",
        "FILTER_NAME": _filter(folder, fwhm_pix), "STARNNW_NAME": f"{share}/default.nnw",
        "DETECT_THRESH": threshold, "ANALYSIS_THRESH": threshold, "DETECT_MINAREA": 5,
        "WEIGHT_TYPE": "MAP_WEIGHT", "WEIGHT_IMAGE": "weight.fits", "WEIGHT_GAIN": "N", "FLAG_IMAGE": "flag.fits",
        "GAIN": 1.0, "GAIN_KEY": "NONE", "SATUR_KEY": "NONE", "SATUR_LEVEL": saturation_e, "BACK_SIZE": 128,
        "SEEING_FWHM": fwhm_pix * scale_arcsec, "PIXEL_SCALE": scale_arcsec, "MAG_ZEROPOINT": 0.0,
        "PHOT_APERTURES": ",".join(str(2 * radius) for radius in RADII), "VERBOSE_TYPE": "QUIET", "NTHREADS": 1,
        "MEMORY_PIXSTACK": 3_000_000, "MEMORY_BUFSIZE": 4096,
    }  # fmt: skip
    if psf is not None:
        settings["PSF_NAME"] = psf
    words = [word for pair in settings.items() for word in (f"-{pair[0]}", pair[1])]
    share_config = Path(share) / "default.sex"
    spent = _call([find("sextractor"), "image.fits", "-c", share_config, *words], folder)
    path = folder / f"{name}.ldac"
    return Run(product.read_table(path, 2), path, spent)


def model_psf(folder: Path, catalog: Path) -> tuple[Path, float]:
    """PSFEx on a catalog: path of its .psf and CPU seconds."""
    settings = {
        "CHECKPLOT_DEV": "NULL", "CHECKPLOT_TYPE": "NONE", "CHECKIMAGE_TYPE": "NONE", "WRITE_XML": "N",
        "PSF_SIZE": "45,45", "VERBOSE_TYPE": "QUIET", "NTHREADS": 1, "PHOTFLUX_KEY": "FLUX_APER(5)",
        "PHOTFLUXERR_KEY": "FLUXERR_APER(5)",
    }  # fmt: skip
    words = [word for pair in settings.items() for word in (f"-{pair[0]}", pair[1])]
    spent = _call([find("psfex"), catalog.name, *words], folder)
    return catalog.with_suffix(".psf"), spent


def write_refcat(folder: Path, gaia: np.ndarray) -> Path:
    """A catalog of Gaia DR3's columns as SCAMP's ASTREFCAT FILE: FITS_LDAC with two tables."""
    rows = np.zeros(len(gaia), [(name, "f8") for name in ("X_WORLD", "Y_WORLD", "ERRA_WORLD", "ERRB_WORLD")]
                    + [("ERRTHETA_WORLD", "f8"), ("MAG", "f4"), ("MAGERR", "f4"), ("OBSDATE", "f8")])  # fmt: skip
    rows["X_WORLD"], rows["Y_WORLD"] = gaia["ra"], gaia["dec"]
    rows["ERRA_WORLD"], rows["ERRB_WORLD"] = gaia["ra_error"] / 3.6e6, gaia["dec_error"] / 3.6e6
    rows["MAG"], rows["MAGERR"], rows["OBSDATE"] = gaia["phot_g_mean_mag"], 0.01, gaia["ref_epoch"]
    units = {name: "deg" for name in rows.dtype.names or () if name.endswith("WORLD")} | {"MAG": "mag", "MAGERR": "mag"}
    path = folder / "refcat.cat"
    header = np.zeros(1, [("Field Header Card", "S80", (1,))])
    header["Field Header Card"][0, 0] = b"END".ljust(80)
    product.write_header(path, (), [product.Table("LDAC_IMHEAD", header), product.Table("LDAC_OBJECTS", rows, units)])
    return path


def solve(folder: Path, catalog: Path, refcat: Path) -> float:
    """SCAMP on one catalog with a reference catalog on disk, cubic distortion: CPU seconds."""
    settings = {
        "ASTREF_CATALOG": "FILE", "ASTREFCAT_NAME": refcat.name, "ASTREFMAG_KEY": "MAG", "ASTREFMAGERR_KEY": "MAGERR",
        "ASTREFCENT_KEYS": "X_WORLD,Y_WORLD", "ASTREFERR_KEYS": "ERRA_WORLD,ERRB_WORLD,ERRTHETA_WORLD",
        "DISTORT_DEGREES": 3, "CHECKPLOT_DEV": "NULL", "CHECKPLOT_TYPE": "NONE", "WRITE_XML": "N", "NTHREADS": 1,
        "VERBOSE_TYPE": "QUIET", "MOSAIC_TYPE": "UNCHANGED", "SOLVE_PHOTOM": "Y",
    }  # fmt: skip
    words = [word for pair in settings.items() for word in (f"-{pair[0]}", pair[1])]
    return _call([find("scamp"), catalog.name, *words], folder)
