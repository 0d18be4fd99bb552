"""Files -> the objects that scripts expect. Headers are read at once, pixels and tables when they are touched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hscdb.butler.catalog import SourceCatalog
from hscdb.butler.exposure import Exposure
from hscdb.butler.image import Image, Mask
from hscdb.butler.masked import MaskedImage
from hscdb.butler.metadata import PropertyList
from hscdb.butler.psf import Psf
from hscdb.errors import InputError
from hscdb.fits import cutout, product, raw
from hscdb.image.plane import Image as Trio

if TYPE_CHECKING:
    from hscdb.camera.model import Ccd

Facts = Callable[[], Mapping[str, Any]]


def exposure(path: Path, box: cutout.Box | None = None, detector: Callable[[], Any] | None = None) -> Exposure:
    """An image product, or the part of it in a box (x0, y0, width, height). InputError `no_file`, `no_hdu`."""
    planes = cutout.planes(path)
    x0, y0, width, height = box if box is not None else (0, 0, planes.shape[1], planes.shape[0])
    xy0, shape = (x0, y0), (height, width)
    masked = MaskedImage(
        Image(partial(planes.read, "IMAGE", box), xy0=xy0, shape=shape),
        Mask(partial(planes.read, "MASK", box), xy0=xy0, shape=shape),
        Image(partial(planes.read, "VARIANCE", box), xy0=xy0, shape=shape),
    )
    has_psf = "MASK" in planes.hdus  # masters have one plane and no PSF
    return Exposure(
        masked, metadata=PropertyList(planes.header, path.name), psf=partial(psf, path) if has_psf else None,
        detector=detector,
    )  # fmt: skip


def header_only(path: Path, facts: Facts | None = None) -> Exposure:
    """A wcs or fcr file."""
    return Exposure(None, metadata=PropertyList(product.read_header(path), path.name), facts=facts)


def psf(path: Path) -> Psf:
    """The PSF of a calexp. InputError `no_hdu` if it has none."""
    return Psf(partial(_model, path))


def _model(path: Path) -> Any:
    from hscdb.image.psf import Psf as Model

    return Model.from_table(product.read_table(path, "PSF"), product.read_header(path, "PSF"))


def metadata(path: Path) -> PropertyList:
    """The header: of an image, HDU 0's and IMAGE's; of a table, HDU 0's and the table's; else HDU 0's."""
    contents = product.read_header(path)
    for which in ("IMAGE", 1):
        try:
            return PropertyList(contents | product.read_header(path, which), path.name)
        except InputError as error:
            if error.code != "no_hdu":
                raise
    return PropertyList(contents, path.name)


def catalog(path: Path) -> SourceCatalog:
    """A source catalog."""
    return SourceCatalog(product.read_table(path, 1), product.read_header(path, 1), path.name)


def raw_exposure(
    path: Path, hdu: int, ccd: Ccd, header: dict[str, Any], detector: Callable[[], Any], facts: Facts
) -> Exposure:
    """A raw frame as it was read out, overscan included, flipped as the camera says [adu]."""
    shape = (ccd.raw_height, ccd.raw_width)
    if not all(shape):
        shape = (int(header["NAXIS2"]), int(header["NAXIS1"]))

    def load() -> np.ndarray:
        return raw.read_raw(path, hdu, ccd).astype(np.float32)

    masked = MaskedImage(Image(load, shape=shape))
    return Exposure(masked, metadata=PropertyList(header, path.name), detector=detector, facts=facts)


def write_exposure(one: Exposure, path: Path) -> None:
    """Write in the layout of calexp."""
    from hscdb.fits.hdu import Table
    from hscdb.fits.header import wcs_cards

    masked, wcs, model = one.getMaskedImage(), one.getWcs(), one.getPsf()
    image, mask, variance = masked.getArrays()
    cards: list[Any] = []
    if wcs is not None:
        x0, y0 = one.getXY0()
        cards = wcs_cards(wcs.copyAtShiftedPixelOrigin((-x0, -y0)).ours)
        cards += [("LTV1", -x0, "minus the first column"), ("LTV2", -y0, "minus the first row")]
    known = {card[0] for card in cards}
    rest = {
        name: content
        for name, content in one.getMetadata().items()
        if name not in known and not name.startswith(("A_", "B_", "AP_", "BP_", "EXT"))
    }
    tables = []
    if model is not None and tuple(one.getXY0()) == (0, 0):  # its polynomial counts from the whole frame's first pixel
        rows, words = model.ours.to_table()
        tables = [Table("PSF", rows, None, words)]
    trio = Trio(image.astype(np.float32), variance.astype(np.float32), mask.astype(np.int32))
    product.write_image(path, trio, rest, tables, cards)


def is_table(path: Path) -> bool:
    """Whether a product is a catalog: it has no IMAGE."""
    try:
        product.read_header(path, "IMAGE")
    except InputError as error:
        if error.code != "no_hdu":
            raise
        return True
    return False
