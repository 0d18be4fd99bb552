"""Settings of detect, apart from what it imports: a run keeps those of all stages."""

from dataclasses import dataclass

from hscdb.run.config import setting


@dataclass(frozen=True)
class Config:
    background_bin_pix: int = setting(
        128, "width of a bin of the background's mesh", unit="pix", was="charImage.background.binSize"
    )
    background_order: int = setting(
        6, "order of the Chebyshev surface through the mesh", was="charImage.background.approxOrderX"
    )
    threshold_sigma: float = setting(5.0, "least S/N of a detection under the PSF", was="detection.thresholdValue")
    grow_sigma: float = setting(2.4, "growth of footprints, in sigma of the PSF", was="detection.nSigmaToGrow")
    psf_snr_min: float = setting(
        50.0,
        "least S/N of a PSF star; a third, then a fifth of it where fewer than 25 are found",
        was="charImage.detection.includeThresholdMultiplier",
    )
    psf_flux_min_e: float = setting(
        0.0, "least flux of a PSF star", unit="e", was="measurePsf.starSelector.objectSize.fluxMin"
    )
    psf_width_min_pix: float = setting(
        0.9, "smallest sigma of a PSF star", unit="pix", was="measurePsf.starSelector.objectSize.widthMin"
    )
    psf_width_max_pix: float = setting(
        10.0, "largest sigma of a PSF star", unit="pix", was="measurePsf.starSelector.objectSize.widthMax"
    )
    psf_order: int = setting(
        2, "order of the PSF's polynomial over the ccd", was="measurePsf.psfDeterminer.psfex.spatialOrder"
    )
    psf_reserved: float = setting(
        0.2, "part of the PSF stars that is kept out of the fit to judge it", was="measurePsf.reserve.fraction"
    )
    n_psf_star_max: int = setting(300, "PSF stars, the brightest")
    do_negative: bool = setting(
        False, "rows of what is below the sky too, flagged as negative", was="detection.thresholdPolarity"
    )
    do_cosmic_ray: bool = setting(True, "find and fill cosmic rays", was="repair.doCosmicRay")
    cr_n_sigma: float = setting(6.0, "height of a cosmic ray over its surroundings, in sigma", was="cosmicray.minSigma")
    cr_charge_min_e: float = setting(150.0, "least charge of a cosmic ray", unit="e", was="cosmicray.min_DN")
    cr_c1: float = setting(2.5, "margin in sigma of the sharpness test", was="cosmicray.cond3_fac")
    cr_c2: float = setting(0.7, "part of the PSF's sharpness that is a cosmic ray", was="cosmicray.cond3_fac2")
    do_scale_variance: bool = setting(
        True, "scale the variance plane where the scatter of the sky is less than 0.8 or more than 1.25 times its own"
    )
    psf_path: str = setting(
        "",
        "where another pipeline's PSF (PSFEx) of a frame lies: 'pattern => replacement' on the path of the raw file",
    )
    weight_path: str = setting(
        "", "where its inverse variance lies, same rule: replaces the variance plane; pixels of weight 0 are BAD"
    )
    deblend_area_max_pix: int = setting(
        1_000_000,
        "blends of more pixels are not taken apart: each peak keeps its own pixels, flag not_deblended; 0 = all are",
        unit="pix^2",
        was="deblend.maxFootprintArea",
    )
    deblend_n_peak_max: int = setting(0, "nor those of more peaks; 0 = all are", was="deblend.maxNumberOfPeaks")
    cr_n_pixel_max: int = setting(1_000_000, "most cosmic-ray pixels looked for", was="cosmicray.nCrPixelMax")
