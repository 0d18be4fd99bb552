-- Solutions: WCS and flux scale of each frame, from calibrate (tract NULL) and from mosaic (per tract).
CREATE TABLE wcs_solution (
    run_id       bigint NOT NULL,
    task_id      bigint NOT NULL REFERENCES task ON DELETE CASCADE,
    stage        text NOT NULL CHECK (stage IN ('catalog', 'calibrate', 'mosaic')),
    visit        bigint NOT NULL,
    ccd          integer NOT NULL,
    tract        integer,
    status       text NOT NULL CHECK (status IN ('solved', 'extrapolated', 'rejected')),
    crval1_deg   finite8 NOT NULL,
    crval2_deg   finite8 NOT NULL,
    crpix1_pix   finite8 NOT NULL,
    crpix2_pix   finite8 NOT NULL,
    cd1_1_deg    finite8 NOT NULL,
    cd1_2_deg    finite8 NOT NULL,
    cd2_1_deg    finite8 NOT NULL,
    cd2_2_deg    finite8 NOT NULL,
    sip_order    integer NOT NULL,
    sip_a        finite8[] NOT NULL,
    sip_b        finite8[] NOT NULL,
    corner_ra    finite8[] NOT NULL,
    corner_dec   finite8[] NOT NULL,
    ra           finite8 NOT NULL,
    dec          finite8 NOT NULL,
    radius_deg   finite8 NOT NULL,
    n_star       integer NOT NULL,
    rms_mas      finite8,
    ref_rms_mas  finite8,
    UNIQUE (task_id, visit, ccd)
);
COMMENT ON TABLE  wcs_solution              IS 'TAN-SIP WCS of a frame';
COMMENT ON COLUMN wcs_solution.run_id       IS '[-] {meta.id} run';
COMMENT ON COLUMN wcs_solution.task_id      IS '[-] {meta.id} task that made the row';
COMMENT ON COLUMN wcs_solution.stage        IS '[-] {meta.code} stage that solved it (catalog: came with an ingested catalog)';
COMMENT ON COLUMN wcs_solution.visit        IS '[-] {meta.id;obs} number of the visit';
COMMENT ON COLUMN wcs_solution.ccd          IS '[-] {meta.id;instr.det} number of the CCD';
COMMENT ON COLUMN wcs_solution.tract        IS '[-] {meta.id;pos} tract of a joint solution';
COMMENT ON COLUMN wcs_solution.status       IS '[-] {meta.code.status} solved from stars of the frame, extrapolated from the camera model, or rejected as worse than before';
COMMENT ON COLUMN wcs_solution.crval1_deg   IS '[deg] {pos.wcs.crval} right ascension of the tangent point, ICRS';
COMMENT ON COLUMN wcs_solution.crval2_deg   IS '[deg] {pos.wcs.crval} declination of the tangent point, ICRS';
COMMENT ON COLUMN wcs_solution.crpix1_pix   IS '[pix] {pos.wcs.crpix} column of the tangent point, 0-based';
COMMENT ON COLUMN wcs_solution.crpix2_pix   IS '[pix] {pos.wcs.crpix} row of the tangent point, 0-based';
COMMENT ON COLUMN wcs_solution.cd1_1_deg    IS '[deg/pix] {pos.wcs.cdmatrix} CD1_1';
COMMENT ON COLUMN wcs_solution.cd1_2_deg    IS '[deg/pix] {pos.wcs.cdmatrix} CD1_2';
COMMENT ON COLUMN wcs_solution.cd2_1_deg    IS '[deg/pix] {pos.wcs.cdmatrix} CD2_1';
COMMENT ON COLUMN wcs_solution.cd2_2_deg    IS '[deg/pix] {pos.wcs.cdmatrix} CD2_2';
COMMENT ON COLUMN wcs_solution.sip_order    IS '[-] {meta.number} order of the SIP polynomials';
COMMENT ON COLUMN wcs_solution.sip_a        IS '[pix] {pos.wcs} SIP A_p_q, for p in 0..order, for q in 0..order-p';
COMMENT ON COLUMN wcs_solution.sip_b        IS '[pix] {pos.wcs} SIP B_p_q, same order';
COMMENT ON COLUMN wcs_solution.corner_ra    IS '[deg] {pos.eq.ra} right ascension of the four corners (x0 y0, x1 y0, x1 y1, x0 y1) at pixel edges';
COMMENT ON COLUMN wcs_solution.corner_dec   IS '[deg] {pos.eq.dec} declination of the four corners';
COMMENT ON COLUMN wcs_solution.ra           IS '[deg] {pos.eq.ra} right ascension of the frame''s centre';
COMMENT ON COLUMN wcs_solution.dec          IS '[deg] {pos.eq.dec} declination of the frame''s centre';
COMMENT ON COLUMN wcs_solution.radius_deg   IS '[deg] {pos.angDistance} distance of the farthest corner from the centre';
COMMENT ON COLUMN wcs_solution.n_star       IS '[-] {meta.number} stars fitted';
COMMENT ON COLUMN wcs_solution.rms_mas      IS '[mas] {stat.stdev;pos} rms per axis of the stars fitted';
COMMENT ON COLUMN wcs_solution.ref_rms_mas  IS '[mas] {stat.stdev;pos} rms per axis against reference stars';
CREATE INDEX wcs_solution_frame ON wcs_solution (run_id, visit, ccd, stage);
CREATE INDEX wcs_solution_sky ON wcs_solution (sky_zone(dec), ra);

CREATE TABLE flux_scale (
    run_id              bigint NOT NULL,
    task_id             bigint NOT NULL REFERENCES task ON DELETE CASCADE,
    stage               text NOT NULL CHECK (stage IN ('catalog', 'calibrate', 'mosaic')),
    visit               bigint NOT NULL,
    ccd                 integer NOT NULL,
    tract               integer,
    status              text NOT NULL CHECK (status IN ('solved', 'extrapolated', 'rejected')),
    flux_mag0_e         finite8 NOT NULL,
    flux_mag0_e_err     finite8,
    poly_order          integer NOT NULL,
    poly_mag            finite8[] NOT NULL,
    x0_pix              finite8 NOT NULL,
    y0_pix              finite8 NOT NULL,
    has_jacobian        boolean NOT NULL,
    jacobian_area_deg2  finite8,
    visit_mag           finite8,
    ccd_mag             finite8,
    color_term          finite8,
    n_star              integer NOT NULL,
    rms_mag             finite8,
    UNIQUE (task_id, visit, ccd)
);
COMMENT ON TABLE  flux_scale                     IS 'Flux scale of a frame: AB flux / 3631 Jy = counts * 10^(-0.4 P(x, y)) * J(x, y) / flux_mag0_e';
COMMENT ON COLUMN flux_scale.run_id              IS '[-] {meta.id} run';
COMMENT ON COLUMN flux_scale.task_id             IS '[-] {meta.id} task that made the row';
COMMENT ON COLUMN flux_scale.stage               IS '[-] {meta.code} stage that solved it';
COMMENT ON COLUMN flux_scale.visit               IS '[-] {meta.id;obs} number of the visit';
COMMENT ON COLUMN flux_scale.ccd                 IS '[-] {meta.id;instr.det} number of the CCD';
COMMENT ON COLUMN flux_scale.tract               IS '[-] {meta.id;pos} tract of a joint solution';
COMMENT ON COLUMN flux_scale.status              IS '[-] {meta.code.status} as in wcs_solution';
COMMENT ON COLUMN flux_scale.flux_mag0_e         IS '[electron] {phot.calib} counts of a star of AB magnitude 0 in the whole exposure (FLUXMAG0)';
COMMENT ON COLUMN flux_scale.flux_mag0_e_err     IS '[electron] {stat.error;phot.calib} one sigma of flux_mag0_e';
COMMENT ON COLUMN flux_scale.poly_order          IS '[-] {meta.number} order of P; 0 for calibrate';
COMMENT ON COLUMN flux_scale.poly_mag            IS '[mag] {phot.calib} coefficients C_p_q of P(x, y) = sum C_p_q (x + x0)^p (y + y0)^q, for p in 0..order, for q in 0..order-p, in mag/pix^(p+q); P(-x0, -y0) = 0';
COMMENT ON COLUMN flux_scale.x0_pix              IS '[pix] {pos.cartesian.x} x0';
COMMENT ON COLUMN flux_scale.y0_pix              IS '[pix] {pos.cartesian.y} y0';
COMMENT ON COLUMN flux_scale.has_jacobian        IS '[-] {meta.code} whether J, the pixel area of the WCS over that at the optical centre, is part of the scale';
COMMENT ON COLUMN flux_scale.jacobian_area_deg2  IS '[deg2] {instr.pixel} pixel area at which J = 1';
COMMENT ON COLUMN flux_scale.visit_mag           IS '[mag] {phot.calib} zero point of the visit: -2.5 log10(fexp)';
COMMENT ON COLUMN flux_scale.ccd_mag             IS '[mag] {phot.calib} offset of the CCD: -2.5 log10(fchip)';
COMMENT ON COLUMN flux_scale.color_term          IS '[-] {phot.color} color coefficient c1 used';
COMMENT ON COLUMN flux_scale.n_star              IS '[-] {meta.number} stars fitted';
COMMENT ON COLUMN flux_scale.rms_mag             IS '[mag] {stat.stdev;phot.mag} rms of the stars fitted';
CREATE INDEX flux_scale_frame ON flux_scale (run_id, visit, ccd, stage);

CREATE TABLE mosaic_solution (
    run_id                  bigint NOT NULL,
    task_id                 bigint PRIMARY KEY REFERENCES task ON DELETE CASCADE,
    tract                   integer NOT NULL,
    filter                  text NOT NULL,
    is_accepted             boolean NOT NULL,
    n_visit                 integer NOT NULL,
    n_ccd                   integer NOT NULL,
    n_star                  integer NOT NULL,
    n_ref                   integer NOT NULL,
    n_obs                   integer NOT NULL,
    n_astrometry_parameter  integer NOT NULL,
    n_photometry_parameter  integer NOT NULL,
    astrometry_order        integer NOT NULL,
    photometry_order        integer NOT NULL,
    n_astrometry_iteration  integer NOT NULL,
    n_photometry_iteration  integer NOT NULL,
    astrometry_chi2         finite8,
    astrometry_dof          finite8,
    photometry_chi2         finite8,
    photometry_dof          finite8,
    position_floor_mas      finite8,
    magnitude_floor_mag     finite8,
    model                   jsonb NOT NULL
);
COMMENT ON TABLE  mosaic_solution                         IS 'One joint solution of a tract and filter: size, quality, judgement';
COMMENT ON COLUMN mosaic_solution.run_id                  IS '[-] {meta.id} run';
COMMENT ON COLUMN mosaic_solution.task_id                 IS '[-] {meta.id} mosaic task';
COMMENT ON COLUMN mosaic_solution.tract                   IS '[-] {meta.id;pos} tract';
COMMENT ON COLUMN mosaic_solution.filter                  IS '[-] {meta.id;instr.filter} physical filter';
COMMENT ON COLUMN mosaic_solution.is_accepted             IS '[-] {meta.code.status} better than the single-frame solutions on reserved stars';
COMMENT ON COLUMN mosaic_solution.n_visit                 IS '[-] {meta.number} visits';
COMMENT ON COLUMN mosaic_solution.n_ccd                   IS '[-] {meta.number} CCDs';
COMMENT ON COLUMN mosaic_solution.n_star                  IS '[-] {meta.number} stars fitted';
COMMENT ON COLUMN mosaic_solution.n_ref                   IS '[-] {meta.number} stars with a reference prior';
COMMENT ON COLUMN mosaic_solution.n_obs                   IS '[-] {meta.number} detections fitted';
COMMENT ON COLUMN mosaic_solution.n_astrometry_parameter  IS '[-] {meta.number} model unknowns of the astrometric fit';
COMMENT ON COLUMN mosaic_solution.n_photometry_parameter  IS '[-] {meta.number} model unknowns of the photometric fit';
COMMENT ON COLUMN mosaic_solution.astrometry_order        IS '[-] {meta.number} order of the visits'' polynomial';
COMMENT ON COLUMN mosaic_solution.photometry_order        IS '[-] {meta.number} order of the flux polynomial';
COMMENT ON COLUMN mosaic_solution.n_astrometry_iteration  IS '[-] {meta.number} passes of the astrometric fit';
COMMENT ON COLUMN mosaic_solution.n_photometry_iteration  IS '[-] {meta.number} passes of the photometric fit';
COMMENT ON COLUMN mosaic_solution.astrometry_chi2         IS '[-] {stat.fit.chi2} chi-square';
COMMENT ON COLUMN mosaic_solution.astrometry_dof          IS '[-] {stat.fit.dof} degrees of freedom';
COMMENT ON COLUMN mosaic_solution.photometry_chi2         IS '[-] {stat.fit.chi2} chi-square';
COMMENT ON COLUMN mosaic_solution.photometry_dof          IS '[-] {stat.fit.dof} degrees of freedom';
COMMENT ON COLUMN mosaic_solution.position_floor_mas      IS '[mas] {stat.error;pos} error floor added to the centroids, per axis';
COMMENT ON COLUMN mosaic_solution.magnitude_floor_mag     IS '[mag] {stat.error;phot.mag} error floor added to the magnitudes';
COMMENT ON COLUMN mosaic_solution.model                   IS '[-] {meta.note} gauge, reduced models and what was left out, by name';

CREATE TABLE mosaic_visit (
    run_id              bigint NOT NULL,
    task_id             bigint NOT NULL REFERENCES task ON DELETE CASCADE,
    visit               bigint NOT NULL,
    crval1_deg          finite8 NOT NULL,
    crval2_deg          finite8 NOT NULL,
    origin_x_pix        finite8 NOT NULL,
    origin_y_pix        finite8 NOT NULL,
    field_scale_pix     finite8 NOT NULL,
    astrometry_order    integer NOT NULL,
    xi_deg              finite8[] NOT NULL,
    eta_deg             finite8[] NOT NULL,
    zero_point_mag      finite8,
    zero_point_mag_err  finite8,
    flux_scale_pix      finite8 NOT NULL,
    photometry_order    integer NOT NULL,
    poly_mag            finite8[] NOT NULL,
    n_obs               integer NOT NULL,
    rms_ra_mas          finite8,
    rms_dec_mas         finite8,
    rms_mag             finite8,
    PRIMARY KEY (task_id, visit)
);
COMMENT ON TABLE  mosaic_visit                     IS 'Visit terms of a joint solution';
COMMENT ON COLUMN mosaic_visit.run_id              IS '[-] {meta.id} run';
COMMENT ON COLUMN mosaic_visit.task_id             IS '[-] {meta.id} mosaic task';
COMMENT ON COLUMN mosaic_visit.visit               IS '[-] {meta.id;obs} number of the visit';
COMMENT ON COLUMN mosaic_visit.crval1_deg          IS '[deg] {pos.wcs.crval} right ascension of the tangent point';
COMMENT ON COLUMN mosaic_visit.crval2_deg          IS '[deg] {pos.wcs.crval} declination of the tangent point';
COMMENT ON COLUMN mosaic_visit.origin_x_pix         IS '[pix] {pos.cartesian.x;instr.det} distortion-corrected focal-plane place that maps to 0 in the Chebyshev basis';
COMMENT ON COLUMN mosaic_visit.origin_y_pix         IS '[pix] {pos.cartesian.y;instr.det} distortion-corrected focal-plane place that maps to 0 in the Chebyshev basis';
COMMENT ON COLUMN mosaic_visit.field_scale_pix     IS '[pix] {meta.number} focal-plane distance that maps to 1 in the Chebyshev basis';
COMMENT ON COLUMN mosaic_visit.astrometry_order    IS '[-] {meta.number} order of the polynomial';
COMMENT ON COLUMN mosaic_visit.xi_deg              IS '[deg] {pos.wcs} Chebyshev coefficients of xi, for p in 0..order, for q in 0..order-p';
COMMENT ON COLUMN mosaic_visit.eta_deg             IS '[deg] {pos.wcs} Chebyshev coefficients of eta';
COMMENT ON COLUMN mosaic_visit.zero_point_mag      IS '[mag] {phot.calib} magnitude of one electron at the optical centre';
COMMENT ON COLUMN mosaic_visit.zero_point_mag_err  IS '[mag] {stat.error;phot.calib} one sigma of zero_point_mag';
COMMENT ON COLUMN mosaic_visit.flux_scale_pix       IS '[pix] {meta.number} focal-plane distance that maps to 1 in the Chebyshev basis of the flux polynomial';
COMMENT ON COLUMN mosaic_visit.photometry_order    IS '[-] {meta.number} order of the flux polynomial';
COMMENT ON COLUMN mosaic_visit.poly_mag            IS '[mag] {phot.calib} Chebyshev coefficients of the flux polynomial (0 at the optical centre)';
COMMENT ON COLUMN mosaic_visit.n_obs               IS '[-] {meta.number} detections fitted';
COMMENT ON COLUMN mosaic_visit.rms_ra_mas          IS '[mas] {stat.stdev;pos.eq.ra} internal rms in ra';
COMMENT ON COLUMN mosaic_visit.rms_dec_mas         IS '[mas] {stat.stdev;pos.eq.dec} internal rms in dec';
COMMENT ON COLUMN mosaic_visit.rms_mag             IS '[mag] {stat.stdev;phot.mag} internal rms of the magnitudes';

CREATE TABLE mosaic_ccd (
    run_id           bigint NOT NULL,
    task_id          bigint NOT NULL REFERENCES task ON DELETE CASCADE,
    ccd              integer NOT NULL,
    shift_u_pix      finite8 NOT NULL,
    shift_v_pix      finite8 NOT NULL,
    turn_rad         finite8 NOT NULL,
    shift_u_pix_err  finite8,
    shift_v_pix_err  finite8,
    turn_rad_err     finite8,
    scale_mag        finite8,
    scale_mag_err    finite8,
    n_obs            integer NOT NULL,
    PRIMARY KEY (task_id, ccd)
);
COMMENT ON TABLE  mosaic_ccd                  IS 'CCD terms of a joint solution, shared by its visits';
COMMENT ON COLUMN mosaic_ccd.run_id           IS '[-] {meta.id} run';
COMMENT ON COLUMN mosaic_ccd.task_id          IS '[-] {meta.id} mosaic task';
COMMENT ON COLUMN mosaic_ccd.ccd              IS '[-] {meta.id;instr.det} number of the CCD';
COMMENT ON COLUMN mosaic_ccd.shift_u_pix      IS '[pix] {pos.cartesian.x;instr.det} shift of the centre along u';
COMMENT ON COLUMN mosaic_ccd.shift_v_pix      IS '[pix] {pos.cartesian.y;instr.det} shift of the centre along v';
COMMENT ON COLUMN mosaic_ccd.turn_rad         IS '[rad] {pos.posAng;instr.det} rotation about the centre';
COMMENT ON COLUMN mosaic_ccd.shift_u_pix_err  IS '[pix] {stat.error} one sigma';
COMMENT ON COLUMN mosaic_ccd.shift_v_pix_err  IS '[pix] {stat.error} one sigma';
COMMENT ON COLUMN mosaic_ccd.turn_rad_err     IS '[rad] {stat.error} one sigma';
COMMENT ON COLUMN mosaic_ccd.scale_mag        IS '[mag] {phot.calib} magnitude offset of the CCD, mean 0';
COMMENT ON COLUMN mosaic_ccd.scale_mag_err    IS '[mag] {stat.error;phot.calib} one sigma of scale_mag';
COMMENT ON COLUMN mosaic_ccd.n_obs            IS '[-] {meta.number} detections fitted';

CREATE TABLE star_solution (
    run_id       bigint NOT NULL,
    task_id      bigint NOT NULL REFERENCES task ON DELETE CASCADE,
    star_id      bigint NOT NULL,
    ra           finite8,
    dec          finite8,
    ra_mas_err   finite4,
    dec_mas_err  finite4,
    mag          finite8,
    mag_err      finite4,
    ref_mag      finite8,
    ref_mag_err  finite4,
    n_obs        smallint NOT NULL,
    is_reserved  boolean NOT NULL,
    PRIMARY KEY (task_id, star_id)
);
COMMENT ON TABLE  star_solution              IS 'Position and magnitude of a star in a joint solution';
COMMENT ON COLUMN star_solution.run_id       IS '[-] {meta.id} run';
COMMENT ON COLUMN star_solution.task_id      IS '[-] {meta.id} mosaic task';
COMMENT ON COLUMN star_solution.star_id      IS '[-] {meta.id;src} star: the same object seen in several visits';
COMMENT ON COLUMN star_solution.ra           IS '[deg] {pos.eq.ra;meta.main} right ascension, ICRS';
COMMENT ON COLUMN star_solution.dec          IS '[deg] {pos.eq.dec;meta.main} declination, ICRS';
COMMENT ON COLUMN star_solution.ra_mas_err   IS '[mas] {stat.error;pos.eq.ra} one sigma of ra times cos(dec)';
COMMENT ON COLUMN star_solution.dec_mas_err  IS '[mas] {stat.error;pos.eq.dec} one sigma of dec';
COMMENT ON COLUMN star_solution.mag          IS '[mag] {phot.mag} AB magnitude';
COMMENT ON COLUMN star_solution.mag_err      IS '[mag] {stat.error;phot.mag} one sigma of mag';
COMMENT ON COLUMN star_solution.ref_mag      IS '[mag] {phot.mag} reference magnitude in this filter, color term applied';
COMMENT ON COLUMN star_solution.ref_mag_err  IS '[mag] {stat.error;phot.mag} one sigma of ref_mag';
COMMENT ON COLUMN star_solution.n_obs        IS '[-] {meta.number} detections';
COMMENT ON COLUMN star_solution.is_reserved  IS '[-] {meta.code} kept out of the fit';
CREATE INDEX star_solution_sky ON star_solution (sky_zone(dec), ra);

CREATE TABLE star_residual (
    run_id              bigint NOT NULL,
    task_id             bigint NOT NULL REFERENCES task ON DELETE CASCADE,
    star_id             bigint NOT NULL,
    visit               bigint NOT NULL,
    ccd                 integer NOT NULL,
    source_id           bigint NOT NULL,
    u_pix               finite4 NOT NULL,
    v_pix               finite4 NOT NULL,
    ra                  finite8,
    dec                 finite8,
    mag                 finite8,
    mag_err             finite4,
    position_mas_err    finite4,
    ra_before_mas       finite4,
    dec_before_mas      finite4,
    mag_before_mmag     finite4,
    ra_after_mas        finite4,
    dec_after_mas       finite4,
    mag_after_mmag      finite4,
    is_used_astrometry  boolean NOT NULL,
    is_used_photometry  boolean NOT NULL,
    reason_astrometry   text,
    reason_photometry   text,
    is_reserved         boolean NOT NULL,
    PRIMARY KEY (task_id, source_id)
);
COMMENT ON TABLE  star_residual                     IS 'Residual of every detection, before (first calibration) and after the joint solution: detection minus star';
COMMENT ON COLUMN star_residual.run_id              IS '[-] {meta.id} run';
COMMENT ON COLUMN star_residual.task_id             IS '[-] {meta.id} mosaic task';
COMMENT ON COLUMN star_residual.star_id             IS '[-] {meta.id;src} star: the same object seen in several visits';
COMMENT ON COLUMN star_residual.visit               IS '[-] {meta.id;obs} number of the visit';
COMMENT ON COLUMN star_residual.ccd                 IS '[-] {meta.id;instr.det} number of the CCD';
COMMENT ON COLUMN star_residual.source_id           IS '[-] {meta.id;src} source: (visit * 200 + ccd) << 32 | running number from 1';
COMMENT ON COLUMN star_residual.u_pix               IS '[pix] {pos.cartesian.x;instr.det} focal-plane position';
COMMENT ON COLUMN star_residual.v_pix               IS '[pix] {pos.cartesian.y;instr.det} focal-plane position';
COMMENT ON COLUMN star_residual.ra                  IS '[deg] {pos.eq.ra} right ascension by the joint solution';
COMMENT ON COLUMN star_residual.dec                 IS '[deg] {pos.eq.dec} declination by the joint solution';
COMMENT ON COLUMN star_residual.mag                 IS '[mag] {phot.mag} AB magnitude by the joint solution';
COMMENT ON COLUMN star_residual.mag_err             IS '[mag] {stat.error;phot.mag} one sigma of mag from photon noise';
COMMENT ON COLUMN star_residual.position_mas_err    IS '[mas] {stat.error;pos} one sigma per axis of the centroid, without floor';
COMMENT ON COLUMN star_residual.ra_before_mas       IS '[mas] {pos.eq.ra;arith.diff} residual in ra times cos(dec) by the first calibration';
COMMENT ON COLUMN star_residual.dec_before_mas      IS '[mas] {pos.eq.dec;arith.diff} residual in dec by the first calibration';
COMMENT ON COLUMN star_residual.mag_before_mmag     IS '[mmag] {phot.mag;arith.diff} residual in magnitude by the first calibration';
COMMENT ON COLUMN star_residual.ra_after_mas        IS '[mas] {pos.eq.ra;arith.diff} residual in ra times cos(dec) by the joint solution';
COMMENT ON COLUMN star_residual.dec_after_mas       IS '[mas] {pos.eq.dec;arith.diff} residual in dec by the joint solution';
COMMENT ON COLUMN star_residual.mag_after_mmag      IS '[mmag] {phot.mag;arith.diff} residual in magnitude by the joint solution';
COMMENT ON COLUMN star_residual.is_used_astrometry  IS '[-] {meta.code} used in the astrometric fit';
COMMENT ON COLUMN star_residual.is_used_photometry  IS '[-] {meta.code} used in the photometric fit';
COMMENT ON COLUMN star_residual.reason_astrometry   IS '[-] {meta.code.error} why not used: reserved, outlier, flagged, ...';
COMMENT ON COLUMN star_residual.reason_photometry   IS '[-] {meta.code.error} why not used: reserved, outlier, flagged, ...';
COMMENT ON COLUMN star_residual.is_reserved         IS '[-] {meta.code} detection of a reserved star';
CREATE INDEX star_residual_star ON star_residual (task_id, star_id);
CREATE INDEX star_residual_frame ON star_residual (run_id, visit, ccd);

CREATE TABLE calibrated_source (
    run_id             bigint NOT NULL,
    task_id            bigint NOT NULL REFERENCES task ON DELETE CASCADE,
    visit              bigint NOT NULL,
    ccd                integer NOT NULL,
    tract              integer NOT NULL,
    source_id          bigint NOT NULL,
    ra                 finite8 NOT NULL,
    dec                finite8 NOT NULL,
    ra_mas_err         finite4,
    dec_mas_err        finite4,
    flux_factor        finite4 NOT NULL,
    psf_flux_njy       finite4,
    psf_flux_njy_err   finite4,
    aper_flux_njy      finite4,
    aper_flux_njy_err  finite4,
    is_extrapolated    boolean NOT NULL,
    PRIMARY KEY (task_id, source_id)
);
COMMENT ON TABLE  calibrated_source                    IS 'Sources with the joint solution applied';
COMMENT ON COLUMN calibrated_source.run_id             IS '[-] {meta.id} run';
COMMENT ON COLUMN calibrated_source.task_id            IS '[-] {meta.id} apply task';
COMMENT ON COLUMN calibrated_source.visit              IS '[-] {meta.id;obs} number of the visit';
COMMENT ON COLUMN calibrated_source.ccd                IS '[-] {meta.id;instr.det} number of the CCD';
COMMENT ON COLUMN calibrated_source.tract              IS '[-] {meta.id;pos} tract';
COMMENT ON COLUMN calibrated_source.source_id          IS '[-] {meta.id;src} source: (visit * 200 + ccd) << 32 | running number from 1';
COMMENT ON COLUMN calibrated_source.ra                 IS '[deg] {pos.eq.ra;meta.main} right ascension, ICRS, joint WCS';
COMMENT ON COLUMN calibrated_source.dec                IS '[deg] {pos.eq.dec;meta.main} declination, ICRS, joint WCS';
COMMENT ON COLUMN calibrated_source.ra_mas_err         IS '[mas] {stat.error;pos.eq.ra} one sigma of ra times cos(dec)';
COMMENT ON COLUMN calibrated_source.dec_mas_err        IS '[mas] {stat.error;pos.eq.dec} one sigma of dec';
COMMENT ON COLUMN calibrated_source.flux_factor        IS '[-] {phot.calib} F = 10^(-0.4 P) J applied to the counts';
COMMENT ON COLUMN calibrated_source.psf_flux_njy       IS '[nJy] {phot.flux.density} PSF flux';
COMMENT ON COLUMN calibrated_source.psf_flux_njy_err   IS '[nJy] {stat.error;phot.flux.density} one sigma of psf_flux_njy';
COMMENT ON COLUMN calibrated_source.aper_flux_njy      IS '[nJy] {phot.flux.density} 12-pix aperture flux';
COMMENT ON COLUMN calibrated_source.aper_flux_njy_err  IS '[nJy] {stat.error;phot.flux.density} one sigma of aper_flux_njy';
COMMENT ON COLUMN calibrated_source.is_extrapolated    IS '[-] {meta.code.qual} the frame''s solution is extrapolated from the camera model';
CREATE INDEX calibrated_source_sky ON calibrated_source (sky_zone(dec), ra);

