"""Settings of calibrate, apart from what it imports: a run keeps those of all stages."""

from dataclasses import dataclass

from hscdb.run.config import setting


@dataclass(frozen=True)
class Config:
    """Settings of the calibrate stage."""

    astrometry_catalog: str = setting(
        "",
        "reference catalog of positions; empty: Gaia, if there is one, else that of the magnitudes",
        was="astromRefObjLoader.ref_dataset_name",
    )
    photometry_catalog: str = setting(
        "",
        "reference catalog of magnitudes; empty: the first with a color term for the filter",
        was="photoRefObjLoader.ref_dataset_name",
    )
    color_term_set: str = setting(
        "", "generation of color terms; empty: the camera's own", was="photoCal.applyColorTerms"
    )
    reserved_fraction: float = setting(0.1, "part of the stars kept out of every fit, to judge it; match's is the same")
    margin_pix: float = setting(
        300.0, "reference stars are taken this far around the ccd", unit="pix", was="pixelMargin"
    )
    snr_min: float = setting(40.0, "least S/N of a source for the astrometry", was="astrometry.sourceSelector.minSnr")
    n_bright_min: int = setting(60, "sources taken for the astrometry whatever their S/N, the brightest")
    max_shift_pix: float = setting(250.0, "largest pointing error", unit="pix", was="astrometry.matcher.maxOffsetPix")
    max_rotation_deg: float = setting(
        1.15, "largest error of the rotation", unit="deg", was="astrometry.matcher.maxRotationDeg"
    )
    max_scale: float = setting(0.01, "largest relative error of the scale")
    do_neighbors: bool = setting(True, "a frame that is not found is looked for where the ccds around it were found")
    blind_radius_deg: float = setting(
        0.5, "and then within this distance of the pointing, at any rotation, mirrored or not; 0 = not", unit="deg"
    )
    tolerance_pix: float = setting(
        3.0,
        "distance of a source from its reference once shift, rotation and scale are right",
        unit="pix",
        was="astrometry.matcher.matcherMaxDistPix",
    )
    order: int = setting(3, "order of the correction to the camera's distortion", was="astrometry.wcsFitter.order")
    n_sigma: float = setting(3.0, "stars farther off are left out", was="astrometry.wcsFitter.rejSigma")
    n_iteration: int = setting(5, "rounds of matching and fitting", was="astrometry.maxIter")
    floor_mas: float = setting(10.0, "error added to every star: the atmosphere", unit="mas")
    n_star_min: int = setting(5, "pairs a WCS needs", was="astrometry.matcher.minMatchedPairs")
    photometry_radius_pix: float = setting(
        1.5,
        "match radius for the zero point; hscPipe's 0.25 arcsec is 1.5 pix",
        unit="pix",
        was="photoCal.match.matchRadius",
    )
    extendedness_max: float = setting(0.5, "sources below it are stars for the zero point")
    reference_cuts: tuple[str, ...] = setting(
        ("g-r > 0", "r-i < 0.5", "i < 22"),
        "references for the zero point; bands the catalog does not have are no cut",
        was="photoCal.match.referenceSelection",
    )
    floor_mag: float = setting(0.01, "error added to every star", unit="mag", was="photoCal.magErrFloor")
    n_photometry_min: int = setting(3, "stars a zero point needs")
    do_bright_object: bool = setting(
        True, "plane BRIGHT_OBJECT and flags bright_object around very bright reference stars"
    )
    bright_mag_max: float = setting(
        17.5, "faintest star with such a mask, by its brightest band; HSC's stars saturate there", unit="mag"
    )
    bright_reach_arcsec: float = setting(
        300.0, "stars are looked for this far from the ccd; that of 6.8 mag reaches as far", unit="arcsec"
    )
    require_photometry: bool = setting(
        True,
        "a frame without zero point fails; else it gets the filter's nominal one, status extrapolated",
        was="requirePhotoCal",
    )
