"""Settings of match, apart from what it imports: a run keeps those of all stages."""

from dataclasses import dataclass

from hscdb.run.config import setting

BAD_FLAGS = (
    "edge",
    "off_image",
    "saturated",
    "saturated_center",
    "bad",
    "interpolated_center",
    "cr_center",
    "centroid_bad",
    "negative",
    "blended",
    "not_deblended",
)


@dataclass(frozen=True)
class Config:
    """Settings of the match stage."""

    radius_arcsec: float = setting(1.0, "largest distance of a detection from its star", unit="arcsec", was="radXMatch")
    ref_radius_arcsec: float = setting(
        1.0, "largest distance of a star from its reference star, once that is moved to the star's epoch", unit="arcsec"
    )
    ref_margin_arcsec: float = setting(
        5.0, "how far proper motion may have moved a reference star since its catalog's epoch", unit="arcsec"
    )
    n_visit_min: int = setting(
        2, "detections a star needs; one that is a reference star needs only one", was="numSourceMerge"
    )
    snr_min: float = setting(10.0, "least signal-to-noise ratio of a detection")
    snr_max: float = setting(1e9, "largest signal-to-noise ratio of a detection")
    extendedness_max: float = setting(0.5, "point sources lie below", was="extendedForStarSelection")
    cell_pix: float = setting(512.0, "side of the cells in which the brightest are taken", unit="pix", was="cellSize")
    n_per_cell: int = setting(200, "brightest detections taken in each cell; 5 in hscPipe", was="nStarPerCell")
    ambiguous_fraction: float = setting(
        0.05, "a star with more strange detections within the radius than this part of its own is ambiguous"
    )
    bad_flags: tuple[str, ...] = setting(BAD_FLAGS, "detections with one of these flags are left out")
    is_per_frame: bool = setting(
        False, "let a star have a detection of every frame, to tie overlapping CCDs of one visit, not of every visit"
    )
    reserved_fraction: float = setting(0.1, "part of the stars that is kept out of every fit, to judge it")
