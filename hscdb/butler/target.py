"""What can be asked for: datasets, and the suffixes that take a part of one."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from hscdb.errors import ConfigError
from hscdb.fits.product import DATASETS, names

MASTERS = ("bias", "dark", "flat", "fringe", "sky")
_COMPUTED = ("raw", "psf", "camera", "deepCoadd_skyMap", "ccdExposureId", "ccdExposureId_bits")
SUFFIXES = (
    "filename", "md", "sub", "len", "schema", "wcs", "header_wcs", "psf", "calib", "photoCalib", "visitInfo", "filter",
    "detector", "bbox",
)  # fmt: skip
# stage that writes a dataset, for messages
WRITERS = {
    "postISRCCD": "isr", "calexp": "detect", "src": "detect", "wcs": "mosaic", "fcr": "mosaic",
    "jointcal_wcs": "mosaic", "jointcal_photoCalib": "mosaic", "calibrated_exp": "apply", "calibrated_src": "apply",
    "ResPosScatter": "qa", "MdM": "qa", "visitRms": "qa", "ResPosArrow2D": "qa",
}  # fmt: skip
# asked for under another name
_SAME = {"icSrc": "src", "icExp": "calexp", "photoCalib": "jointcal_photoCalib", "skyMap": "deepCoadd_skyMap"}


@dataclass(frozen=True)
class Target:
    """A dataset and what is wanted of it ("" = the thing itself)."""

    dataset: str
    part: str = ""

    @property
    def has_tract(self) -> bool:
        """Whether its files are told apart by tract."""
        return self.dataset in DATASETS and "tract" in names(self.dataset)

    @property
    def is_product(self) -> bool:
        """Whether a run makes it."""
        return self.dataset in DATASETS and self.dataset not in MASTERS


def known() -> list[str]:
    """All datasets."""
    return [*_COMPUTED, *DATASETS]


def parse(text: str) -> Target:
    """`calexp`, `calexp_md`, ... ConfigError `unknown_target`, with the nearest."""
    datasets = set(known())
    base, dot, component = text.partition(".")
    if dot and base in datasets:  # calexp.wcs, as later butlers write it
        text = f"{base}_{component}"
    if text in datasets:
        return Target(text)
    for part in sorted(SUFFIXES, key=len, reverse=True):
        base = text.removesuffix(f"_{part}")
        if base != text:
            base = _SAME.get(base, base)
            if base == "psf" and part == "filename":
                return Target("calexp", part)
            if base in datasets:
                return Target(base, part)
    if text in _SAME:
        return Target(_SAME[text])
    near = get_close_matches(text, datasets, 2, 0.6)
    if text.startswith("deepCoadd"):
        why = "coadds are not made by this version."
    else:
        why = "no such dataset" + (f"; did you mean {' or '.join(near)}?" if near else ".")
    raise ConfigError(
        f"butler: {text}: {why} Datasets: {', '.join(known())}; and of each _{', _'.join(SUFFIXES)}.",
        code="unknown_target",
    )
