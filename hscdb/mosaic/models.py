"""What the words `mosaic` and `jointcal` stand for: one engine, two parameterisations.

mosaic   : CCDs shift and turn; a flux field of degree 7 common to all visits, one of degree 2 of each.
jointcal : constrainedAstrometry, CCDs are affine maps; constrainedMagnitude, a constant per CCD and a field of degree 7
           of each visit, none in common. `simple` fluxes have one scale per frame instead.

Orders that are set hold in both. Source: lsst/jointcal's defaults (astrometryChipOrder 1, photometryVisitOrder 7).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hscdb.mosaic import fluxdesign, prepare, solve
from hscdb.mosaic.places import Options

if TYPE_CHECKING:
    from hscdb.mosaic.stage_config import Config



@dataclass(frozen=True)
class _Orders:
    """Degrees of the CCDs' maps, of the common flux field and of the visits' own."""

    ccd: int
    flux: int
    flux_visit: int


_DEFAULTS = {"mosaic": _Orders(0, 7, 2), "jointcal": _Orders(1, 0, 7)}


def settings(config: "Config") -> solve.Settings:
    """Settings of the fits. ConfigError `bad_setting` for orders out of range."""
    own = _DEFAULTS[config.model]
    ccd = own.ccd if config.ccd_order is None else config.ccd_order
    field = own.flux if config.flux_order is None else config.flux_order
    visit_field = own.flux_visit if config.flux_visit_order is None else config.flux_visit_order
    prepare.check(config.astrometry_order, field, visit_field, ccd)
    position = Options(
        solve_ccd=config.solve_ccd, ccd_order=ccd, n_iteration_max=config.n_iteration_max,
        clip_sigma=config.clip_sigma, ref_floor_mas=config.ref_position_floor_mas,
        floor_mas=config.position_floor_mas, ccd_prior_pix=config.ccd_prior_pix,
        color_prior_mas=config.color_prior_mas if config.solve_color else 0.0,
        motion_prior_mas_yr=config.motion_prior_mas_yr if config.solve_motions else 0.0,
    )  # fmt: skip
    scale = fluxdesign.Options(
        order=field, visit_order=visit_field, solve_ccd=config.solve_flux_ccd,
        n_iteration_max=config.n_iteration_max, clip_sigma=config.clip_sigma,
        ref_floor_mag=config.ref_magnitude_floor_mag, floor_mag=config.magnitude_floor_mag,
        field_prior_mag=config.field_prior_mag, ccd_prior_mag=config.field_prior_mag,
        is_simple=config.photometry_model.startswith("simple"), in_flux=config.photometry_model.endswith("Flux"),
        is_relative=not config.flux_absolute, color_prior_mag=config.color_prior_mag if config.solve_color else 0.0,
        growth_prior_mag=config.growth_prior_mag if config.solve_growth else 0.0,
    )  # fmt: skip
    return solve.Settings(config.astrometry_order, position, scale, config.solve_turbulence)
