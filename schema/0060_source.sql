-- Sources: what was measured on each frame, in pixels and electrons. The sky is in source_sky (0070).
-- Both are partitioned by run, then by blocks of visits; sql/run/ creates the partitions before a stage fills them.
CREATE TABLE frame_isr (
    run_id          bigint NOT NULL,
    task_id         bigint PRIMARY KEY REFERENCES task ON DELETE CASCADE,
    visit           bigint NOT NULL,
    ccd             integer NOT NULL,
    overscan_adu    finite4[] NOT NULL,
    read_noise_e    finite4[] NOT NULL,
    gain_e_per_adu  finite4[] NOT NULL,
    bias_master_id  bigint,
    dark_master_id  bigint,
    flat_master_id  bigint,
    defects_master_id  bigint,
    fringe_master_id   bigint,
    sky_master_id      bigint,
    fringe_e        finite8,
    fringe_e_err    finite8,
    charge_moved_e  finite8,
    sky_level_e     finite8,
    sky_sigma_e     finite8,
    flatness_pp     finite8,
    flatness_rms    finite8,
    n_saturated     integer NOT NULL,
    n_bad           integer NOT NULL,
    n_no_data       integer NOT NULL
);
COMMENT ON TABLE  frame_isr                 IS 'What ISR found on a frame';
COMMENT ON COLUMN frame_isr.run_id          IS '[-] {meta.id} run';
COMMENT ON COLUMN frame_isr.task_id         IS '[-] {meta.id} task that made the row';
COMMENT ON COLUMN frame_isr.visit           IS '[-] {meta.id;obs} number of the visit';
COMMENT ON COLUMN frame_isr.ccd             IS '[-] {meta.id;instr.det} number of the CCD';
COMMENT ON COLUMN frame_isr.overscan_adu    IS '[adu] {stat.mean;instr.det} mean overscan level of each amplifier';
COMMENT ON COLUMN frame_isr.read_noise_e    IS '[electron] {instr.det.noise} read noise of each amplifier, measured in the overscan';
COMMENT ON COLUMN frame_isr.gain_e_per_adu  IS '[electron/adu] {instr.calib} gain used for each amplifier';
COMMENT ON COLUMN frame_isr.bias_master_id  IS '[-] {meta.id} master bias used';
COMMENT ON COLUMN frame_isr.dark_master_id  IS '[-] {meta.id} master dark used';
COMMENT ON COLUMN frame_isr.flat_master_id  IS '[-] {meta.id} master flat used';
COMMENT ON COLUMN frame_isr.defects_master_id IS '[-] {meta.id} map of bad pixels used; NULL: the camera''s lists';
COMMENT ON COLUMN frame_isr.fringe_master_id IS '[-] {meta.id} master fringe used';
COMMENT ON COLUMN frame_isr.sky_master_id   IS '[-] {meta.id} master sky used';
COMMENT ON COLUMN frame_isr.fringe_e        IS '[electron] {instr.background} what the master fringe was multiplied with: the sky that makes the fringes';
COMMENT ON COLUMN frame_isr.fringe_e_err    IS '[electron] {stat.error;instr.background} one sigma of fringe_e';
COMMENT ON COLUMN frame_isr.charge_moved_e  IS '[electron] {instr.det} sum of the charge that the brighter-fatter correction moved; NULL: not done';
COMMENT ON COLUMN frame_isr.sky_level_e     IS '[electron] {instr.skyLevel} median sky (SKYLEVEL)';
COMMENT ON COLUMN frame_isr.sky_sigma_e     IS '[electron] {instr.skySigma} clipped scatter of the sky (SKYSIGMA)';
COMMENT ON COLUMN frame_isr.flatness_pp     IS '[-] {stat.max} peak-to-peak of the 256-pix sky mesh over its median (FLATNESS_PP)';
COMMENT ON COLUMN frame_isr.flatness_rms    IS '[-] {stat.stdev} rms of the 256-pix sky mesh over its median (FLATNESS_RMS)';
COMMENT ON COLUMN frame_isr.n_saturated     IS '[-] {meta.number} saturated pixels';
COMMENT ON COLUMN frame_isr.n_bad           IS '[-] {meta.number} pixels masked as BAD';
COMMENT ON COLUMN frame_isr.n_no_data       IS '[-] {meta.number} pixels without data (vignetted)';
CREATE INDEX frame_isr_frame ON frame_isr (visit, ccd);

CREATE TABLE frame_vet (
    run_id     bigint NOT NULL,
    task_id    bigint NOT NULL REFERENCES task ON DELETE CASCADE,
    visit      bigint NOT NULL,
    ccd        integer NOT NULL,
    check_name text NOT NULL,
    figure     finite8,
    figure_limit finite8,
    is_good    boolean NOT NULL,
    PRIMARY KEY (task_id, check_name)
);
COMMENT ON TABLE  frame_vet             IS 'Checks of a raw frame before any work, also of frames that were refused';
COMMENT ON COLUMN frame_vet.run_id      IS '[-] {meta.id} run';
COMMENT ON COLUMN frame_vet.task_id     IS '[-] {meta.id} task that made the row';
COMMENT ON COLUMN frame_vet.visit       IS '[-] {meta.id;obs} number of the visit';
COMMENT ON COLUMN frame_vet.ccd         IS '[-] {meta.id;instr.det} number of the CCD';
COMMENT ON COLUMN frame_vet.check_name  IS '[-] {meta.code.class} size [pixels], empty [adu], background [adu], high_pixels [part], fixed_value [part], histogram [adu], acf [pix]';
COMMENT ON COLUMN frame_vet.figure      IS '[-] {stat.value} figure found, in the unit of its check; NULL: could not be told';
COMMENT ON COLUMN frame_vet.figure_limit  IS '[-] {stat.max} limit it was held against, in the same unit';
COMMENT ON COLUMN frame_vet.is_good     IS '[-] {meta.code.qual} whether the check was passed';
CREATE INDEX frame_vet_bad ON frame_vet (visit, ccd) WHERE NOT is_good;

CREATE TABLE frame_quality (
    run_id               bigint NOT NULL,
    task_id              bigint PRIMARY KEY REFERENCES task ON DELETE CASCADE,
    visit                bigint NOT NULL,
    ccd                  integer NOT NULL,
    seeing_arcsec        finite8,
    psf_sigma_pix        finite8,
    psf_e1               finite8,
    psf_e2               finite8,
    psf_model            text NOT NULL CHECK (psf_model IN ('pixel', 'constant', 'gaussian')),
    psf_order            integer NOT NULL,
    n_psf_star           integer NOT NULL,
    n_psf_star_reserved  integer NOT NULL,
    psf_size_rms         finite8,
    psf_size_bias        finite8,
    psf_e1_rms           finite8,
    psf_e2_rms           finite8,
    psf_chi2             finite8,
    background_e         finite8,
    background_sigma_e   finite8,
    aper_correction      finite8,
    aper_correction_rms  finite8,
    n_cosmic_ray         integer NOT NULL,
    n_source             integer NOT NULL,
    n_negative           integer NOT NULL
);
COMMENT ON TABLE  frame_quality                      IS 'What detect found on a frame';
COMMENT ON COLUMN frame_quality.run_id               IS '[-] {meta.id} run';
COMMENT ON COLUMN frame_quality.task_id              IS '[-] {meta.id} task that made the row';
COMMENT ON COLUMN frame_quality.visit                IS '[-] {meta.id;obs} number of the visit';
COMMENT ON COLUMN frame_quality.ccd                  IS '[-] {meta.id;instr.det} number of the CCD';
COMMENT ON COLUMN frame_quality.seeing_arcsec        IS '[arcsec] {instr.obsty.seeing} FWHM of the PSF at the centre';
COMMENT ON COLUMN frame_quality.psf_sigma_pix        IS '[pix] {instr.det.psf} determinant radius of the PSF at the centre';
COMMENT ON COLUMN frame_quality.psf_e1               IS '[-] {src.ellipticity;instr.det.psf} (ixx - iyy) / (ixx + iyy) of the PSF at the centre';
COMMENT ON COLUMN frame_quality.psf_e2               IS '[-] {src.ellipticity;instr.det.psf} 2 ixy / (ixx + iyy) of the PSF at the centre';
COMMENT ON COLUMN frame_quality.psf_model            IS '[-] {meta.code.class} PSF model that the stars supported';
COMMENT ON COLUMN frame_quality.psf_order            IS '[-] {meta.number} order of the PSF''s polynomial over the CCD';
COMMENT ON COLUMN frame_quality.n_psf_star           IS '[-] {meta.number} stars used in the PSF';
COMMENT ON COLUMN frame_quality.n_psf_star_reserved  IS '[-] {meta.number} PSF stars kept aside to judge it';
COMMENT ON COLUMN frame_quality.psf_size_rms         IS '[-] {stat.stdev} rms of (star - PSF) / PSF radius on reserved stars';
COMMENT ON COLUMN frame_quality.psf_size_bias        IS '[-] {stat.mean} mean of (star - PSF) / PSF radius on reserved stars';
COMMENT ON COLUMN frame_quality.psf_e1_rms           IS '[-] {stat.stdev;src.ellipticity} rms of star - PSF ellipticity e1 on reserved stars';
COMMENT ON COLUMN frame_quality.psf_e2_rms           IS '[-] {stat.stdev;src.ellipticity} rms of star - PSF ellipticity e2 on reserved stars';
COMMENT ON COLUMN frame_quality.psf_chi2             IS '[-] {stat.fit.chi2} median reduced chi2 of the cores of reserved stars';
COMMENT ON COLUMN frame_quality.background_e         IS '[electron] {instr.skyLevel} mean background subtracted';
COMMENT ON COLUMN frame_quality.background_sigma_e   IS '[electron] {instr.skySigma} noise of a pixel of empty sky';
COMMENT ON COLUMN frame_quality.aper_correction      IS '[-] {phot.calib} mean aperture correction of the PSF flux to 12 pix';
COMMENT ON COLUMN frame_quality.aper_correction_rms  IS '[-] {stat.stdev} scatter of the stars about the surface of the PSF flux''s aperture correction';
COMMENT ON COLUMN frame_quality.n_cosmic_ray         IS '[-] {meta.number} cosmic rays found';
COMMENT ON COLUMN frame_quality.n_source             IS '[-] {meta.number} sources stored';
COMMENT ON COLUMN frame_quality.n_negative           IS '[-] {meta.number} footprints below the sky by as much as a detection is above it';
CREATE INDEX frame_quality_frame ON frame_quality (visit, ccd);

CREATE TABLE source (
    run_id                bigint NOT NULL,
    task_id               bigint NOT NULL,
    visit                 bigint NOT NULL,
    ccd                   integer NOT NULL,
    source_id             bigint NOT NULL,
    parent_id             bigint,
    n_child               smallint NOT NULL,
    x_pix                 finite8 NOT NULL,
    y_pix                 finite8 NOT NULL,
    x_pix_err             finite4,
    y_pix_err             finite4,
    x_y_pix2_cov          finite4,
    ixx_pix2              finite4,
    iyy_pix2              finite4,
    ixy_pix2              finite4,
    psf_ixx_pix2          finite4,
    psf_iyy_pix2          finite4,
    psf_ixy_pix2          finite4,
    psf_flux_e            finite4,
    psf_flux_e_err        finite4,
    psf_aper_correction   finite4,
    gauss_flux_e          finite4,
    gauss_flux_e_err      finite4,
    gauss_aper_correction finite4,
    kron_flux_e           finite4,
    kron_flux_e_err       finite4,
    kron_aper_correction  finite4,
    kron_radius_pix       finite4,
    aper_3_0_flux_e       finite4,
    aper_3_0_flux_e_err   finite4,
    aper_4_5_flux_e       finite4,
    aper_4_5_flux_e_err   finite4,
    aper_6_0_flux_e       finite4,
    aper_6_0_flux_e_err   finite4,
    aper_9_0_flux_e       finite4,
    aper_9_0_flux_e_err   finite4,
    aper_12_0_flux_e      finite4,
    aper_12_0_flux_e_err  finite4,
    aper_17_0_flux_e      finite4,
    aper_17_0_flux_e_err  finite4,
    aper_25_0_flux_e      finite4,
    aper_25_0_flux_e_err  finite4,
    aper_35_0_flux_e      finite4,
    aper_35_0_flux_e_err  finite4,
    aper_50_0_flux_e      finite4,
    aper_50_0_flux_e_err  finite4,
    aper_70_0_flux_e      finite4,
    aper_70_0_flux_e_err  finite4,
    extendedness          finite4,
    spread                finite4,
    spread_err            finite4,
    blendedness           finite4,
    local_background_e    finite4,
    local_background_e_err finite4,
    peak_e                finite4,
    n_pixel               integer NOT NULL,
    flags                 bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (run_id, visit, source_id)
) PARTITION BY LIST (run_id);
COMMENT ON TABLE  source                       IS 'One detection on one frame, in pixels and electrons';
COMMENT ON COLUMN source.run_id                IS '[-] {meta.id} run';
COMMENT ON COLUMN source.task_id               IS '[-] {meta.id} task that made the row';
COMMENT ON COLUMN source.visit                 IS '[-] {meta.id;obs} number of the visit';
COMMENT ON COLUMN source.ccd                   IS '[-] {meta.id;instr.det} number of the CCD';
COMMENT ON COLUMN source.source_id             IS '[-] {meta.id;src} source: (visit * 200 + ccd) << 32 | running number from 1 (hscPipe: id | id)';
COMMENT ON COLUMN source.parent_id             IS '[-] {meta.id.parent} source_id of the blended parent; NULL if not blended (hscPipe: parent | parent)';
COMMENT ON COLUMN source.n_child               IS '[-] {meta.number} children of a deblended parent (hscPipe: deblend_nChild | deblend.nchild)';
COMMENT ON COLUMN source.x_pix                 IS '[pix] {pos.cartesian.x;instr.det} centroid, column, 0-based (hscPipe: base_SdssCentroid_x | centroid.sdss)';
COMMENT ON COLUMN source.y_pix                 IS '[pix] {pos.cartesian.y;instr.det} centroid, row, 0-based (hscPipe: base_SdssCentroid_y | centroid.sdss)';
COMMENT ON COLUMN source.x_pix_err             IS '[pix] {stat.error;pos.cartesian.x} one sigma of x_pix (hscPipe: base_SdssCentroid_xErr | centroid.sdss.err)';
COMMENT ON COLUMN source.y_pix_err             IS '[pix] {stat.error;pos.cartesian.y} one sigma of y_pix (hscPipe: base_SdssCentroid_yErr | centroid.sdss.err)';
COMMENT ON COLUMN source.x_y_pix2_cov          IS '[pix2] {stat.covariance} covariance of x_pix and y_pix (hscPipe: base_SdssCentroid_x_y_Cov | centroid.sdss.err)';
COMMENT ON COLUMN source.ixx_pix2              IS '[pix2] {src.morph.param} adaptive second moment xx (hscPipe: base_SdssShape_xx | shape.sdss)';
COMMENT ON COLUMN source.iyy_pix2              IS '[pix2] {src.morph.param} adaptive second moment yy (hscPipe: base_SdssShape_yy | shape.sdss)';
COMMENT ON COLUMN source.ixy_pix2              IS '[pix2] {src.morph.param} adaptive second moment xy (hscPipe: base_SdssShape_xy | shape.sdss)';
COMMENT ON COLUMN source.psf_ixx_pix2          IS '[pix2] {instr.det.psf} second moment xx of the PSF here (hscPipe: base_SdssShape_psf_xx | shape.sdss.psf)';
COMMENT ON COLUMN source.psf_iyy_pix2          IS '[pix2] {instr.det.psf} second moment yy of the PSF here (hscPipe: base_SdssShape_psf_yy | shape.sdss.psf)';
COMMENT ON COLUMN source.psf_ixy_pix2          IS '[pix2] {instr.det.psf} second moment xy of the PSF here (hscPipe: base_SdssShape_psf_xy | shape.sdss.psf)';
COMMENT ON COLUMN source.psf_flux_e            IS '[electron] {phot.count} PSF flux, aperture-corrected (hscPipe: base_PsfFlux_instFlux | flux.psf)';
COMMENT ON COLUMN source.psf_flux_e_err        IS '[electron] {stat.error;phot.count} one sigma of psf_flux_e (hscPipe: base_PsfFlux_instFluxErr | flux.psf.err)';
COMMENT ON COLUMN source.psf_aper_correction   IS '[-] {phot.calib} factor applied to the PSF flux (hscPipe: base_PsfFlux_apCorr | flux.psf.apcorr)';
COMMENT ON COLUMN source.gauss_flux_e          IS '[electron] {phot.count} flux under the adaptive Gaussian, aperture-corrected (hscPipe: base_GaussianFlux_instFlux | flux.gaussian)';
COMMENT ON COLUMN source.gauss_flux_e_err      IS '[electron] {stat.error;phot.count} one sigma of gauss_flux_e (hscPipe: base_GaussianFlux_instFluxErr | flux.gaussian.err)';
COMMENT ON COLUMN source.gauss_aper_correction IS '[-] {phot.calib} factor applied to the Gaussian flux (hscPipe: base_GaussianFlux_apCorr | flux.gaussian.apcorr)';
COMMENT ON COLUMN source.kron_flux_e           IS '[electron] {phot.count} Kron flux, aperture-corrected (hscPipe: ext_photometryKron_KronFlux_instFlux | flux.kron)';
COMMENT ON COLUMN source.kron_flux_e_err       IS '[electron] {stat.error;phot.count} one sigma of kron_flux_e (hscPipe: ext_photometryKron_KronFlux_instFluxErr | flux.kron.err)';
COMMENT ON COLUMN source.kron_aper_correction  IS '[-] {phot.calib} factor applied to the Kron flux (hscPipe: ext_photometryKron_KronFlux_apCorr | flux.kron.apcorr)';
COMMENT ON COLUMN source.kron_radius_pix       IS '[pix] {phys.angSize;src} Kron radius (hscPipe: ext_photometryKron_KronFlux_radius | flux.kron.radius)';
COMMENT ON COLUMN source.aper_3_0_flux_e       IS '[electron] {phot.count} flux in a circular aperture of 3.0 pix radius (hscPipe: base_CircularApertureFlux_3_0_instFlux | flux.aperture)';
COMMENT ON COLUMN source.aper_3_0_flux_e_err   IS '[electron] {stat.error;phot.count} one sigma of the flux in 3.0 pix (hscPipe: base_CircularApertureFlux_3_0_instFluxErr | flux.aperture.err)';
COMMENT ON COLUMN source.aper_4_5_flux_e       IS '[electron] {phot.count} flux in a circular aperture of 4.5 pix radius (hscPipe: base_CircularApertureFlux_4_5_instFlux | flux.aperture)';
COMMENT ON COLUMN source.aper_4_5_flux_e_err   IS '[electron] {stat.error;phot.count} one sigma of the flux in 4.5 pix (hscPipe: base_CircularApertureFlux_4_5_instFluxErr | flux.aperture.err)';
COMMENT ON COLUMN source.aper_6_0_flux_e       IS '[electron] {phot.count} flux in a circular aperture of 6.0 pix radius (hscPipe: base_CircularApertureFlux_6_0_instFlux | flux.aperture)';
COMMENT ON COLUMN source.aper_6_0_flux_e_err   IS '[electron] {stat.error;phot.count} one sigma of the flux in 6.0 pix (hscPipe: base_CircularApertureFlux_6_0_instFluxErr | flux.aperture.err)';
COMMENT ON COLUMN source.aper_9_0_flux_e       IS '[electron] {phot.count} flux in a circular aperture of 9.0 pix radius (hscPipe: base_CircularApertureFlux_9_0_instFlux | flux.aperture)';
COMMENT ON COLUMN source.aper_9_0_flux_e_err   IS '[electron] {stat.error;phot.count} one sigma of the flux in 9.0 pix (hscPipe: base_CircularApertureFlux_9_0_instFluxErr | flux.aperture.err)';
COMMENT ON COLUMN source.aper_12_0_flux_e      IS '[electron] {phot.count} flux in a circular aperture of 12.0 pix radius (hscPipe: base_CircularApertureFlux_12_0_instFlux | flux.aperture)';
COMMENT ON COLUMN source.aper_12_0_flux_e_err  IS '[electron] {stat.error;phot.count} one sigma of the flux in 12.0 pix (hscPipe: base_CircularApertureFlux_12_0_instFluxErr | flux.aperture.err)';
COMMENT ON COLUMN source.aper_17_0_flux_e      IS '[electron] {phot.count} flux in a circular aperture of 17.0 pix radius (hscPipe: base_CircularApertureFlux_17_0_instFlux | flux.aperture)';
COMMENT ON COLUMN source.aper_17_0_flux_e_err  IS '[electron] {stat.error;phot.count} one sigma of the flux in 17.0 pix (hscPipe: base_CircularApertureFlux_17_0_instFluxErr | flux.aperture.err)';
COMMENT ON COLUMN source.aper_25_0_flux_e      IS '[electron] {phot.count} flux in a circular aperture of 25.0 pix radius (hscPipe: base_CircularApertureFlux_25_0_instFlux | flux.aperture)';
COMMENT ON COLUMN source.aper_25_0_flux_e_err  IS '[electron] {stat.error;phot.count} one sigma of the flux in 25.0 pix (hscPipe: base_CircularApertureFlux_25_0_instFluxErr | flux.aperture.err)';
COMMENT ON COLUMN source.aper_35_0_flux_e      IS '[electron] {phot.count} flux in a circular aperture of 35.0 pix radius (hscPipe: base_CircularApertureFlux_35_0_instFlux | flux.aperture)';
COMMENT ON COLUMN source.aper_35_0_flux_e_err  IS '[electron] {stat.error;phot.count} one sigma of the flux in 35.0 pix (hscPipe: base_CircularApertureFlux_35_0_instFluxErr | flux.aperture.err)';
COMMENT ON COLUMN source.aper_50_0_flux_e      IS '[electron] {phot.count} flux in a circular aperture of 50.0 pix radius (hscPipe: base_CircularApertureFlux_50_0_instFlux | flux.aperture)';
COMMENT ON COLUMN source.aper_50_0_flux_e_err  IS '[electron] {stat.error;phot.count} one sigma of the flux in 50.0 pix (hscPipe: base_CircularApertureFlux_50_0_instFluxErr | flux.aperture.err)';
COMMENT ON COLUMN source.aper_70_0_flux_e      IS '[electron] {phot.count} flux in a circular aperture of 70.0 pix radius (hscPipe: base_CircularApertureFlux_70_0_instFlux | flux.aperture)';
COMMENT ON COLUMN source.aper_70_0_flux_e_err  IS '[electron] {stat.error;phot.count} one sigma of the flux in 70.0 pix (hscPipe: base_CircularApertureFlux_70_0_instFluxErr | flux.aperture.err)';
COMMENT ON COLUMN source.extendedness          IS '[-] {src.class.starGalaxy} 0 = point source, 1 = extended (gauss_flux * 0.95 >= psf_flux) (hscPipe: base_ClassificationExtendedness_value | classification.extendedness)';
COMMENT ON COLUMN source.spread                IS '[-] {src.class.starGalaxy} how much broader than the PSF: 0 for a point source, more for a galaxy';
COMMENT ON COLUMN source.spread_err            IS '[-] {stat.error;src.class.starGalaxy} one sigma of spread';
COMMENT ON COLUMN source.blendedness           IS '[-] {src.morph.param} part of the flux that belongs to neighbours (hscPipe: base_Blendedness_abs)';
COMMENT ON COLUMN source.local_background_e    IS '[electron] {instr.skyLevel} residual background per pixel around the source (hscPipe: base_LocalBackground_instFlux)';
COMMENT ON COLUMN source.local_background_e_err IS '[electron] {stat.error;instr.skyLevel} one sigma of local_background_e (hscPipe: base_LocalBackground_instFluxErr)';
COMMENT ON COLUMN source.peak_e                IS '[electron] {phot.count;stat.max} brightest pixel of the footprint';
COMMENT ON COLUMN source.n_pixel               IS '[-] {meta.number} pixels of the footprint (hscPipe: base_FootprintArea_value)';
COMMENT ON COLUMN source.flags                 IS '[-] {meta.code.qual} flag bits, see flag_doc (hscPipe: flags | flags)';
CREATE INDEX source_task ON source (task_id);

CREATE TABLE psf_star (
    run_id          bigint NOT NULL,
    task_id         bigint NOT NULL REFERENCES task ON DELETE CASCADE,
    visit           bigint NOT NULL,
    ccd             integer NOT NULL,
    x_pix           finite8 NOT NULL,
    y_pix           finite8 NOT NULL,
    snr             finite8 NOT NULL,
    is_reserved     boolean NOT NULL,
    is_rejected     boolean NOT NULL,
    star_sigma_pix  finite8,
    psf_sigma_pix   finite8,
    star_e1         finite8,
    star_e2         finite8,
    psf_e1          finite8,
    psf_e2          finite8,
    chi2            finite8
);
COMMENT ON TABLE  psf_star                 IS 'Stars used for, or kept aside from, the PSF of a frame';
COMMENT ON COLUMN psf_star.run_id          IS '[-] {meta.id} run';
COMMENT ON COLUMN psf_star.task_id         IS '[-] {meta.id} task that made the row';
COMMENT ON COLUMN psf_star.visit           IS '[-] {meta.id;obs} number of the visit';
COMMENT ON COLUMN psf_star.ccd             IS '[-] {meta.id;instr.det} number of the CCD';
COMMENT ON COLUMN psf_star.x_pix           IS '[pix] {pos.cartesian.x;instr.det} column, 0-based';
COMMENT ON COLUMN psf_star.y_pix           IS '[pix] {pos.cartesian.y;instr.det} row, 0-based';
COMMENT ON COLUMN psf_star.snr             IS '[-] {stat.snr} signal-to-noise ratio';
COMMENT ON COLUMN psf_star.is_reserved     IS '[-] {meta.code} kept aside from the fit';
COMMENT ON COLUMN psf_star.is_rejected     IS '[-] {meta.code} left out of the fit as an outlier';
COMMENT ON COLUMN psf_star.star_sigma_pix  IS '[pix] {instr.det.psf} determinant radius of the star';
COMMENT ON COLUMN psf_star.psf_sigma_pix   IS '[pix] {instr.det.psf} determinant radius of the PSF at the star';
COMMENT ON COLUMN psf_star.star_e1         IS '[-] {src.ellipticity} e1 of the star';
COMMENT ON COLUMN psf_star.star_e2         IS '[-] {src.ellipticity} e2 of the star';
COMMENT ON COLUMN psf_star.psf_e1          IS '[-] {src.ellipticity;instr.det.psf} e1 of the PSF';
COMMENT ON COLUMN psf_star.psf_e2          IS '[-] {src.ellipticity;instr.det.psf} e2 of the PSF';
COMMENT ON COLUMN psf_star.chi2            IS '[-] {stat.fit.chi2} reduced chi-square of star minus PSF';
CREATE INDEX psf_star_task ON psf_star (task_id);

