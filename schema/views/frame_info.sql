-- One row per frame with all that one selects frames by: what was observed, and the newest that detect and calibrate
-- found out about it, in whatever run. `--where "band = 'r' AND seeing_arcsec < 0.8"` is a condition on this view.
CREATE VIEW frame_info AS
SELECT f.visit                            AS visit,
       f.ccd                              AS ccd,
       c.name                             AS ccd_name,
       c.kind                             AS ccd_kind,
       v.data_type                        AS data_type,
       v.filter                           AS filter,
       v.band                             AS band,
       v.field                            AS field,
       v.proposal                         AS proposal,
       v.pointing                         AS pointing,
       v.night                            AS night,
       v.obs_start                        AS obs_start,
       v.obs_mjd                          AS obs_mjd,
       v.exposure_s                       AS exposure_s,
       v.airmass                          AS airmass,
       v.rotator_deg                      AS rotator_deg,
       v.ra                               AS visit_ra,
       v.dec                              AS visit_dec,
       f.kind                             AS frame_kind,
       f.frame_id                         AS frame_id,
       f.path                             AS path,
       f.ccd_temp_k                       AS ccd_temp_k,
       q.run_id                           AS quality_run_id,
       q.seeing_arcsec                    AS seeing_arcsec,
       CAST(hypot_e.e AS finite8)         AS psf_ellipticity,
       q.background_e                     AS background_e,
       q.background_sigma_e               AS background_sigma_e,
       q.n_source                         AS n_source,
       w.run_id                           AS wcs_run_id,
       w.ra                               AS ra,
       w.dec                              AS dec,
       w.radius_deg                       AS radius_deg,
       w.ref_rms_mas                      AS ref_rms_mas,
       w.n_star                           AS n_ref_star,
       CAST(2.5 * log(CAST(s.flux_mag0_e AS double precision)) AS finite8)  AS zero_point_mag,
       s.rms_mag                          AS zero_point_rms_mag
  FROM frame AS f
  JOIN visit AS v ON v.visit = f.visit
  JOIN ccd AS c ON c.ccd = f.ccd
  LEFT JOIN LATERAL (SELECT * FROM frame_quality AS n
                      WHERE n.visit = f.visit AND n.ccd = f.ccd
                      ORDER BY n.task_id DESC LIMIT 1) AS q ON true
  LEFT JOIN LATERAL (SELECT sqrt(q.psf_e1 * q.psf_e1 + q.psf_e2 * q.psf_e2) AS e) AS hypot_e ON true
  -- the newest, too, but written so that a search for places reaches the sky index of wcs_solution, also in joins
  LEFT JOIN wcs_solution AS w
    ON w.visit = f.visit AND w.ccd = f.ccd AND w.tract IS NULL
   AND w.task_id = (SELECT max(n.task_id) FROM wcs_solution AS n
                     WHERE n.visit = w.visit AND n.ccd = w.ccd AND n.tract IS NULL)
  LEFT JOIN LATERAL (SELECT * FROM flux_scale AS n
                      WHERE n.visit = f.visit AND n.ccd = f.ccd AND n.tract IS NULL
                      ORDER BY n.task_id DESC LIMIT 1) AS s ON true;
COMMENT ON VIEW   frame_info                     IS 'One row per frame: what was observed and the newest quality found for it; --where selects on it';
COMMENT ON COLUMN frame_info.visit               IS '[-] {meta.id;obs} number of the visit';
COMMENT ON COLUMN frame_info.ccd                 IS '[-] {meta.id;instr.det} number of the CCD';
COMMENT ON COLUMN frame_info.ccd_name            IS '[-] {meta.id;instr.det} name of the CCD in the camera';
COMMENT ON COLUMN frame_info.ccd_kind            IS '[-] {meta.code.class} science, focus or guider';
COMMENT ON COLUMN frame_info.data_type           IS '[-] {meta.code.class;obs} science, bias, dark, flat or other';
COMMENT ON COLUMN frame_info.filter              IS '[-] {meta.id;instr.filter} physical filter';
COMMENT ON COLUMN frame_info.band                IS '[-] {instr.bandpass} band of the filter';
COMMENT ON COLUMN frame_info.field               IS '[-] {meta.id;obs.field} name of the field (OBJECT, upper case)';
COMMENT ON COLUMN frame_info.proposal            IS '[-] {meta.id;obs.proposal} proposal';
COMMENT ON COLUMN frame_info.pointing            IS '[d] {time.epoch} days since 2012-01-01 (hscPipe''s pointing)';
COMMENT ON COLUMN frame_info.night               IS '[-] {time.epoch;obs} date of the start, UTC';
COMMENT ON COLUMN frame_info.obs_start           IS '[-] {time.start;obs} start of the exposure, UTC';
COMMENT ON COLUMN frame_info.obs_mjd             IS '[d] {time.epoch} MJD, TAI, middle of the exposure';
COMMENT ON COLUMN frame_info.exposure_s          IS '[s] {time.duration;obs.exposure} exposure time';
COMMENT ON COLUMN frame_info.airmass             IS '[-] {obs.airMass} airmass';
COMMENT ON COLUMN frame_info.rotator_deg         IS '[deg] {pos.posAng;instr} position angle of the instrument (INST-PA)';
COMMENT ON COLUMN frame_info.visit_ra            IS '[deg] {pos.eq.ra} boresight right ascension, ICRS';
COMMENT ON COLUMN frame_info.visit_dec           IS '[deg] {pos.eq.dec} boresight declination, ICRS';
COMMENT ON COLUMN frame_info.frame_kind          IS '[-] {meta.code.class} raw image, or catalog made elsewhere';
COMMENT ON COLUMN frame_info.frame_id            IS '[-] {meta.id;obs} frame identifier of the telescope (FRAMEID)';
COMMENT ON COLUMN frame_info.path                IS '[-] {meta.ref.uri;meta.file} file, as in frame.path';
COMMENT ON COLUMN frame_info.ccd_temp_k          IS '[K] {phys.temperature;instr.det} temperature of the CCD';
COMMENT ON COLUMN frame_info.quality_run_id      IS '[-] {meta.id} run of the newest detection, which the next columns describe';
COMMENT ON COLUMN frame_info.seeing_arcsec       IS '[arcsec] {instr.obsty.seeing} FWHM of the PSF at the centre';
COMMENT ON COLUMN frame_info.psf_ellipticity     IS '[-] {src.ellipticity;instr.det.psf} sqrt(e1^2 + e2^2) of the PSF at the centre';
COMMENT ON COLUMN frame_info.background_e        IS '[electron] {instr.skyLevel} mean background subtracted';
COMMENT ON COLUMN frame_info.background_sigma_e  IS '[electron] {instr.skySigma} noise of a pixel of empty sky';
COMMENT ON COLUMN frame_info.n_source            IS '[-] {meta.number} sources stored';
COMMENT ON COLUMN frame_info.wcs_run_id          IS '[-] {meta.id} run of the newest calibration of the frame, which the next columns describe';
COMMENT ON COLUMN frame_info.ra                  IS '[deg] {pos.eq.ra;meta.main} right ascension of the frame''s centre, ICRS';
COMMENT ON COLUMN frame_info.dec                 IS '[deg] {pos.eq.dec;meta.main} declination of the frame''s centre, ICRS';
COMMENT ON COLUMN frame_info.radius_deg          IS '[deg] {pos.angDistance} distance of the farthest corner from the centre';
COMMENT ON COLUMN frame_info.ref_rms_mas         IS '[mas] {stat.stdev;pos} rms per axis against reference stars';
COMMENT ON COLUMN frame_info.n_ref_star          IS '[-] {meta.number} stars fitted by the calibration';
COMMENT ON COLUMN frame_info.zero_point_mag      IS '[mag] {phot.calib} AB magnitude of one electron in the whole exposure';
COMMENT ON COLUMN frame_info.zero_point_rms_mag  IS '[mag] {stat.stdev;phot.mag} rms of the stars that gave the zero point';
