-- What shape and extendedness of a source are where the adaptive moments do not converge.
COMMENT ON COLUMN source.ixx_pix2     IS '[pix2] {src.morph.param} adaptive second moment xx; with the flag shape_bad that under the weight of the PSF, or the one of the PSF (hscPipe: base_SdssShape_xx | shape.sdss)';
COMMENT ON COLUMN source.iyy_pix2     IS '[pix2] {src.morph.param} adaptive second moment yy; with the flag shape_bad as ixx_pix2 (hscPipe: base_SdssShape_yy | shape.sdss)';
COMMENT ON COLUMN source.ixy_pix2     IS '[pix2] {src.morph.param} adaptive second moment xy; with the flag shape_bad as ixx_pix2 (hscPipe: base_SdssShape_xy | shape.sdss)';
COMMENT ON COLUMN source.gauss_flux_e IS '[electron] {phot.count} flux under the Gaussian of the second moments, aperture-corrected (hscPipe: base_GaussianFlux_instFlux | flux.gaussian)';
COMMENT ON COLUMN source.extendedness IS '[-] {src.class.starGalaxy} 0 = point source, 1 = extended (gauss_flux * 0.95 >= psf_flux), also with the flag shape_bad; NULL without a PSF flux and below the sky (hscPipe: base_ClassificationExtendedness_value | classification.extendedness)';
