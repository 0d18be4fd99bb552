"""The flag bits of a source (`source.flags`): name, bit, meaning. Bits are never reassigned.

Names are those of hscPipe's base_PixelFlags, centroid, shape and flux flags, in our words.
"""

FLAGS: tuple[tuple[str, int, str], ...] = (
    ("edge", 0, "footprint or 3-pix surroundings touch the edge of usable pixels (EDGE or NO_DATA)"),
    ("interpolated", 1, "an interpolated pixel in the footprint or within 3 pix of the centroid"),
    ("interpolated_center", 2, "an interpolated pixel within 1 pix of the centroid"),
    ("saturated", 3, "a saturated pixel in the footprint or within 3 pix of the centroid"),
    ("saturated_center", 4, "a saturated pixel within 1 pix of the centroid"),
    ("cr", 5, "a cosmic-ray pixel in the footprint or within 3 pix of the centroid"),
    ("cr_center", 6, "a cosmic-ray pixel within 1 pix of the centroid"),
    ("bad", 7, "a defective pixel in the footprint or within 3 pix of the centroid"),
    ("suspect", 8, "a pixel above the suspect level in the footprint or within 3 pix of the centroid"),
    ("suspect_center", 9, "a pixel above the suspect level within 1 pix of the centroid"),
    ("off_image", 10, "the centroid lies outside the image"),
    ("crosstalk", 11, "a crosstalk-struck pixel in the footprint or within 3 pix of the centroid"),
    ("centroid_bad", 12, "the centroid did not converge; the peak is given"),
    ("shape_bad", 13, "the adaptive moments did not converge: those under the PSF's weight are given, or the PSF's"),
    ("psf_flux_bad", 14, "the PSF flux could not be measured"),
    ("gauss_flux_bad", 15, "the Gaussian flux could not be measured"),
    ("kron_flux_bad", 16, "the Kron flux could not be measured"),
    ("aper_flux_bad", 17, "the 12-pix aperture leaves the image"),
    ("blended", 18, "child of a deblended parent"),
    ("not_deblended", 19, "a blend that was not taken apart"),
    ("negative", 20, "a negative detection"),
    ("psf_candidate", 21, "selected as a star for the PSF"),
    ("psf_used", 22, "used in the fit of the PSF"),
    ("psf_reserved", 23, "PSF star kept aside from the fit"),
    ("aper_correction_bad", 24, "no aperture correction could be made for this frame"),
    ("extendedness_bad", 25, "star/galaxy separation could not be done"),
    ("duplicate", 26, "a better detection of the same object exists in a neighbouring ccd of the visit"),
    ("blended_neighbor", 27, "a brighter neighbour overlaps the footprint"),
    ("variable", 28, "flagged as variable by the catalog it came in"),
    ("psf_weak", 29, "too few stars for a PSF that changes over the frame: constant, or a Gaussian"),
    ("doubtful", 30, "within 120 pix of a saturated star and less than 6 sigma above the sky around it"),
    ("bright_object", 31, "in the mask of a very bright reference star (BRIGHT_OBJECT), pixels within 3 pix included"),
    ("bright_object_center", 32, "the centroid is in the mask of a very bright reference star"),
    ("astrometry_used", 33, "used in the fit of the frame's first WCS"),
    ("photometry_used", 34, "used for the frame's first zero point"),
    ("photometry_reserved", 35, "fit for the first zero point, but kept aside from it"),
)
# what needs a WCS: in source_sky.sky_flags, never in source.flags
BRIGHT_FLAGS = ("bright_object", "bright_object_center")
SKY_FLAGS = (*BRIGHT_FLAGS, "astrometry_used", "photometry_used", "photometry_reserved")
BIT: dict[str, int] = {name: bit for name, bit, _ in FLAGS}


def word(*names: str) -> int:
    """The flag word with these flags set. KeyError on an unknown name."""
    return sum(1 << BIT[name] for name in names)
