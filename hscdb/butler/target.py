"""What can be asked for: datasets, and the suffixes that take a part of one."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from hscdb.errors import ConfigError
from hscdb.fits.product import DATASETS, names

MASTERS = ("bias", "dark", "flat", "fringe", "sky", "defects")
IMAGES = ("raw", "postISRCCD", "calexp", "calibrated_exp", *MASTERS[:-1])  # defects are a table of boxes
CATALOGS = ("src", "calibrated_src")
_COMPUTED = ("raw", "psf", "camera", "deepCoadd_skyMap", "ccdExposureId", "ccdExposureId_bits")
SUFFIXES = (
    "filename", "md", "sub", "len", "schema", "wcs", "header_wcs", "psf", "calib", "photoCalib", "visitInfo", "filter",
    "detector", "bbox",
)  # fmt: skip
# what writes a dataset, for messages; the rest is qa's
_STAGES = {
    "postISRCCD": "isr", "calexp": "detect", "src": "detect", "wcs": "mosaic", "fcr": "mosaic",
    "calibrated_exp": "apply", "calibrated_src": "apply",
}  # fmt: skip
# datasets of hscPipe that are not written, and what there is instead
_INSTEAD = {
    "calexpBackground": "calexp has its surface in the table BACKGROUND; `-c isr.keep_image=true` keeps postISRCCD",
    "srcMatch": "pairs with the reference catalogs are rows of table source_ref",
    "apCorr": "src has the columns base_PsfFlux_apCorr and its like",
    "forced": "forced photometry is not made by this version",
    "skyCorr": "isr takes the master sky off, scaled to all CCDs of the visit: `isr.do_sky`, frame_isr.sky_scale_e",
    "deepCoadd": "coadds are not made by this version; `hscdb display REPO --id tract=T patch=X,Y` shows a patch",
    "transmission": "filters are rows of table filter, without curves",
    "brightObjectMask": "calexp has the plane BRIGHT_OBJECT, src and source_sky the flags bright_object",
}  # fmt: skip
_ALIKE = {"icMatch": "srcMatch", "icMatchFull": "srcMatch", "srcMatchFull": "srcMatch"}
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
    return [*_COMPUTED, *(each for each in DATASETS if _instead(each) is None)]


def writer(dataset: str) -> str:
    """What makes a product, as a sentence."""
    if dataset.startswith("jointcal_"):
        return "Command jointcal.py makes it of the joint solution."
    return f"Stage {_STAGES.get(dataset, 'qa')} makes it."


def _instead(text: str) -> str | None:
    """What there is in the place of a dataset that this program does not write; None if it does."""
    if text in _COMPUTED:
        return None
    if text.endswith(("_metadata", "_config")):
        return "settings and tasks lie in the database: `hscdb rerun show`, `hscdb status`"
    near = _ALIKE.get(text, text)
    return next((why for name, why in _INSTEAD.items() if near.startswith(name)), None)


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
    instead = _instead(text)
    near = [] if instead else get_close_matches(text, datasets, 2, 0.6)
    why = instead or "no such dataset" + (f"; did you mean {' or '.join(near)}?" if near else "")
    listed = [each for each in known() if each in _STAGES or each in _COMPUTED or each in MASTERS or "jointcal" in each]
    raise ConfigError(
        f"butler: {text}: {why.rstrip('?')}{'?' if near else '.'} Datasets: {', '.join(listed)}, and what qa writes "
        f"(getDatasetTypes() lists all); and of each _{', _'.join(SUFFIXES)}.",
        code="unknown_target",
    )
