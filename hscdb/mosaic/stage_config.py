"""Settings of mosaic, apart from what it imports: a run keeps those of all stages."""

from dataclasses import dataclass

from hscdb.run.config import setting

FLUXES = ("", "constrainedMagnitude", "constrainedFlux", "simpleMagnitude", "simpleFlux")
MODELS = ("mosaic", "jointcal")
_FLUXES = ("", "psf", "gauss", "kron", "aper_3_0", "aper_4_5", "aper_6_0", "aper_9_0", "aper_12_0", "aper_17_0",
           "aper_25_0", "aper_35_0", "aper_50_0", "aper_70_0")  # fmt: skip


@dataclass(frozen=True)
class Config:
    """Settings of mosaic."""

    model: str = setting(
        "mosaic", "mosaic: rigid CCDs, a flux field common to all visits; jointcal: affine CCDs, a flux field of each "
        "visit; both make one WCS and flux scale per frame", choices=MODELS,
    )  # fmt: skip
    photometry_model: str = setting(
        "", "constrained (Magnitude if empty): fields and CCD offsets; simple: one scale per frame; Magnitude or Flux "
        "is what is brought together", was="photometryModel", choices=FLUXES,
    )  # fmt: skip
    jointcal_folder: str = setting(
        "tract", "jointcal_ files lie in jointcal-results/TRACT (hscPipe 7) or in jointcal-results/FILTER/TRACT",
        choices=("tract", "filter"),
    )  # fmt: skip
    astrometry_order: int | None = setting(
        None, "total degree of each visit's astrometric polynomial; None: chosen by the reserved stars",
        was="fittingOrder, astrometryVisitOrder",
    )  # fmt: skip
    flux_order: int | None = setting(
        None, "total degree of the flux field common to all visits; None: 7 of mosaic, 0 (no field) of jointcal",
        was="fluxFitOrder",
    )  # fmt: skip
    flux_visit_order: int | None = setting(
        None, "total degree of each visit's own flux field; None: 2 of mosaic, 7 of jointcal",
        was="commonFluxCorr, photometryVisitOrder",
    )  # fmt: skip
    flux_absolute: bool = setting(
        True, "tie magnitudes star by star to the references; false: only one number for all is theirs",
        was="fluxFitAbsolute",
    )  # fmt: skip
    flux: str = setting(
        "", "flux that is tied together: psf, gauss, kron, aper_3_0 ...; empty: that of the first calibration",
        choices=_FLUXES,
    )  # fmt: skip
    solve_ccd: bool = setting(True, "solve shift and turn of each CCD", was="solveCcd, allowRotation")
    ccd_order: int | None = setting(
        None, "0: CCDs move and turn; 1: they are affine maps; 2 to 5: polynomials of that degree, with learned "
        "priors; None: 0 of mosaic, 1 of jointcal", was="astrometryChipOrder",
    )  # fmt: skip
    ccd_epochs: tuple[str, ...] = setting(
        (), "dates (2016-09-01) on which CCDs were moved or changed: each has terms of its own in between"
    )
    solve_turbulence: bool = setting(
        True, "take turbulence, and bends inside the CCDs, off the model if stars become better by it"
    )
    solve_flux_ccd: bool = setting(True, "solve one flux offset per CCD", was="fluxFitSolveCcd")
    solve_motions: bool = setting(
        False, "solve proper motions of stars whose references have none, where the visits span half a year"
    )
    motion_prior_mas_yr: float = setting(5.0, "expected size of such a motion, per axis", unit="mas/yr")
    solve_color: bool = setting(
        False, "solve what a star's color, by its references, does to its place and magnitude in each visit"
    )
    color_prior_mas: float = setting(10.0, "expected shift per mag of color, per axis", unit="mas")
    color_prior_mag: float = setting(0.01, "expected change of a magnitude per mag of color", unit="mag")
    solve_growth: bool = setting(
        False, "solve what the aperture loses in frames whose seeing is worse than their visit's"
    )
    growth_prior_mag: float = setting(0.1, "expected loss for a seeing e times as large", unit="mag")
    use_references: bool = setting(True, "tie positions and magnitudes to reference stars")
    use_ambiguous: bool = setting(False, "fit stars with another detection within the match radius too")
    n_shared_min: int = setting(2, "stars a visit must share with the others", was="minNumMatch")
    clip_sigma: float = setting(
        5.0, "residuals beyond this are outliers", unit="sigma", was="outlierRejectSigma"
    )
    n_iteration_max: int = setting(20, "largest number of passes of each fit")
    position_floor_mas: float | None = setting(
        None, "error floor of a centroid per axis; None: measured from the residuals", unit="mas"
    )
    magnitude_floor_mag: float | None = setting(
        None, "error floor of a magnitude; None: measured from the residuals", unit="mag"
    )
    ref_position_floor_mas: float = setting(1.0, "added to the references' position errors", unit="mas", was="catRMS")
    ref_magnitude_floor_mag: float = setting(0.01, "added to the references' magnitude errors", unit="mag")
    ccd_prior_pix: float | None = setting(
        None, "expected shift of a CCD from the camera description; None: learned from the data", unit="pix"
    )
    field_prior_mag: float = setting(0.03, "expected size of the common flux field and the CCD offsets", unit="mag")
    color_term_set: str = setting("", "generation of the color terms; empty: the camera's default", was="doColorTerms")
