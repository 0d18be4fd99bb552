"""Column names of hscPipe 3-4 (dots) and of later stacks -> those of the files written here."""

from __future__ import annotations

import re

APERTURES = ("3_0", "4_5", "6_0", "9_0", "12_0", "17_0", "25_0", "35_0", "50_0", "70_0")

# old stem of a flux -> new stem
_FLUXES = {
    "flux.psf": "base_PsfFlux",
    "flux.gaussian": "base_GaussianFlux",
    "flux.kron": "ext_photometryKron_KronFlux",
    "flux.sinc": "base_CircularApertureFlux_12_0",
    "flux.naive": "base_CircularApertureFlux_12_0",
    "cmodel.flux": "modelfit_CModel",
    "cmodel.initial.flux": "modelfit_CModel_initial",
    "cmodel.exp.flux": "modelfit_CModel_exp",
    "cmodel.dev.flux": "modelfit_CModel_dev",
}
_FLUX_ENDINGS = {
    "": "_instFlux", ".err": "_instFluxErr", ".flags": "_flag", ".apcorr": "_apCorr", ".apcorr.err": "_apCorrErr",
    ".flags.apcorr": "_flag_apCorr", ".radius": "_radius", ".radiusForRadius": "_radius_for_radius",
    ".psfRadius": "_psf_radius", ".flags.edge": "_flag_edge", ".flags.radius": "_flag_radius",
    ".flags.usedMinimumRadius": "_flag_used_minimum_radius", ".flags.usedPsfRadius": "_flag_used_psf_radius",
    ".flags.smallRadius": "_flag_small_radius", ".flags.badShape": "_flag_bad_shape",
}  # fmt: skip
# old name -> new name, where no rule gives it
OLD: dict[str, str] = {
    "classification.extendedness": "base_ClassificationExtendedness_value",
    "centroid.sdss.flags": "base_SdssCentroid_flag",
    "centroid.naive.flags": "base_NaiveCentroid_flag",
    "shape.sdss.flags": "base_SdssShape_flag",
    "flux.aperture.flags": "base_CircularApertureFlux_12_0_flag",
    "deblend.nchild": "deblend_nChild",
    "deblend.skipped": "deblend_skipped",
    "deblend.deblended-as-psf": "deblend_deblendedAsPsf",
    "deblend.too-many-peaks": "deblend_tooManyPeaks",
    "deblend.parent-too-big": "deblend_parentTooBig",
    "deblend.psf-flux": "deblend_psf_instFlux",
    "deblend.has.stray.flux": "deblend_hasStrayFlux",
    "deblend.ramped_template": "deblend_rampedTemplate",
    "deblend.patched_template": "deblend_patchedTemplate",
    "calib.detected": "calib_detected",
    "calib.psf.candidate": "calib_psf_candidate",
    "calib.psf.used": "calib_psf_used",
    "calib.psf.reserved": "calib_psf_reserved",
    "footprint.area": "base_FootprintArea_value",
    "jacobian": "base_Jacobian_value",
    "focalplane.x": "base_FPPosition_x",
    "focalplane.y": "base_FPPosition_y",
    "flux.kron.radius": "ext_photometryKron_KronFlux_radius",
    "coord.ra": "coord_ra",
    "coord.dec": "coord_dec",
    "centroid.sdss.x": "base_SdssCentroid_x",
    "centroid.sdss.y": "base_SdssCentroid_y",
}
# old or new name of something made of several columns -> (what it is, their names)
COMPOUND: dict[str, tuple[str, tuple[str, ...]]] = {
    "coord": ("coord", ("coord_ra", "coord_dec")),
    "centroid.sdss": ("point", ("base_SdssCentroid_x", "base_SdssCentroid_y")),
    "base_SdssCentroid": ("point", ("base_SdssCentroid_x", "base_SdssCentroid_y")),
    "slot_Centroid": ("point", ("base_SdssCentroid_x", "base_SdssCentroid_y")),
    "centroid.sdss.err": (
        "covariance", ("base_SdssCentroid_xErr", "base_SdssCentroid_yErr", "base_SdssCentroid_x_y_Cov"),
    ),
    "shape.sdss": ("moments", ("base_SdssShape_xx", "base_SdssShape_yy", "base_SdssShape_xy")),
    "base_SdssShape": ("moments", ("base_SdssShape_xx", "base_SdssShape_yy", "base_SdssShape_xy")),
    "slot_Shape": ("moments", ("base_SdssShape_xx", "base_SdssShape_yy", "base_SdssShape_xy")),
    "shape.sdss.err": ("variances", ("base_SdssShape_xxErr", "base_SdssShape_yyErr", "base_SdssShape_xyErr")),
    "shape.sdss.psf": ("moments", ("base_SdssShape_psf_xx", "base_SdssShape_psf_yy", "base_SdssShape_psf_xy")),
    "slot_PsfShape": ("moments", ("base_SdssShape_psf_xx", "base_SdssShape_psf_yy", "base_SdssShape_psf_xy")),
    "flux.aperture": ("vector", tuple(f"base_CircularApertureFlux_{r}_instFlux" for r in APERTURES)),
    "flux.aperture.err": ("vector", tuple(f"base_CircularApertureFlux_{r}_instFluxErr" for r in APERTURES)),
}  # fmt: skip
_PIXEL = re.compile(r"flags\.pixel\.([a-z]+)(?:\.(any|center))?")
_LATER = (("_fluxSigma", "_instFluxErr"), ("_fluxErr", "_instFluxErr"), ("_flux", "_instFlux"))


def old_names() -> list[str]:
    """The names of hscPipe 3-4 that have a rule here."""
    fluxes = [stem + ending for stem in _FLUXES for ending in _FLUX_ENDINGS]
    return [*OLD, *fluxes, *(name for name in COMPOUND if "." in name)]


def modern(name: str) -> str:
    """The name in today's src tables of a column of any release; what no rule knows stays as it is."""
    if name in OLD:
        return OLD[name]
    pixel = _PIXEL.fullmatch(name)
    if pixel:
        return f"base_PixelFlags_flag_{pixel[1]}" + ("Center" if pixel[2] == "center" else "")
    for stem, new in _FLUXES.items():
        if name.startswith(stem) and name[len(stem) :] in _FLUX_ENDINGS:
            return new + _FLUX_ENDINGS[name[len(stem) :]]
    if name.startswith(("base_", "ext_", "modelfit_", "slot_")):
        for old, new in _LATER:
            if name.endswith(old):
                return name.removesuffix(old) + new
    return name
