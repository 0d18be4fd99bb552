-- For dashboards (Grafana, Metabase, Superset): plain numbers, text and real timestamps, one row per CCD and exposure.
CREATE VIEW bi_frame AS
SELECT i.obs_start                                    AS obs_start,
       i.night                                        AS night,
       i.visit                                        AS visit,
       i.ccd                                          AS ccd,
       i.ccd_name                                     AS ccd_name,
       i.filter                                       AS filter,
       i.band                                         AS band,
       i.field                                        AS field,
       CAST(i.exposure_s AS double precision)         AS exposure_s,
       CAST(i.airmass AS double precision)            AS airmass,
       CAST(i.seeing_arcsec AS double precision)      AS seeing_arcsec,
       CAST(i.psf_ellipticity AS double precision)    AS psf_ellipticity,
       CAST(i.background_e AS double precision)       AS background_e,
       CAST(i.background_sigma_e AS double precision) AS background_sigma_e,
       CAST(i.zero_point_mag AS double precision)     AS zero_point_mag,
       CAST(i.zero_point_rms_mag AS double precision) AS zero_point_rms_mag,
       CAST(i.ref_rms_mas AS double precision)        AS ref_rms_mas,
       i.n_source                                     AS n_source,
       i.n_ref_star                                   AS n_ref_star,
       CAST(i.ccd_temp_k AS double precision)         AS ccd_temp_k,
       CAST(i.ra AS double precision)                 AS ra,
       CAST(i.dec AS double precision)                AS dec
  FROM frame_info AS i
 WHERE i.data_type = 'science';
COMMENT ON VIEW   bi_frame                     IS 'One row per science frame, for dashboards';
COMMENT ON COLUMN bi_frame.obs_start           IS '[-] {time.start;obs} start of the exposure, UTC';
COMMENT ON COLUMN bi_frame.night               IS '[-] {time.epoch;obs} date of the start, UTC';
COMMENT ON COLUMN bi_frame.visit               IS '[-] {meta.id;obs} number of the visit';
COMMENT ON COLUMN bi_frame.ccd                 IS '[-] {meta.id;instr.det} number of the CCD';
COMMENT ON COLUMN bi_frame.ccd_name            IS '[-] {meta.id;instr.det} name of the CCD';
COMMENT ON COLUMN bi_frame.filter              IS '[-] {meta.id;instr.filter} physical filter';
COMMENT ON COLUMN bi_frame.band                IS '[-] {instr.bandpass} band of the filter';
COMMENT ON COLUMN bi_frame.field               IS '[-] {meta.id;obs.field} name of the field';
COMMENT ON COLUMN bi_frame.exposure_s          IS '[s] {time.duration;obs.exposure} exposure time';
COMMENT ON COLUMN bi_frame.airmass             IS '[-] {obs.airMass} airmass';
COMMENT ON COLUMN bi_frame.seeing_arcsec       IS '[arcsec] {instr.obsty.seeing} FWHM of the PSF at the centre';
COMMENT ON COLUMN bi_frame.psf_ellipticity     IS '[-] {src.ellipticity;instr.det.psf} ellipticity of the PSF at the centre';
COMMENT ON COLUMN bi_frame.background_e        IS '[electron] {instr.skyLevel} mean background subtracted';
COMMENT ON COLUMN bi_frame.background_sigma_e  IS '[electron] {instr.skySigma} noise of a pixel of empty sky';
COMMENT ON COLUMN bi_frame.zero_point_mag      IS '[mag] {phot.calib} AB magnitude of one electron in the whole exposure';
COMMENT ON COLUMN bi_frame.zero_point_rms_mag  IS '[mag] {stat.stdev;phot.mag} rms of the stars that gave the zero point';
COMMENT ON COLUMN bi_frame.ref_rms_mas         IS '[mas] {stat.stdev;pos} rms per axis against reference stars';
COMMENT ON COLUMN bi_frame.n_source            IS '[-] {meta.number} sources stored';
COMMENT ON COLUMN bi_frame.n_ref_star          IS '[-] {meta.number} stars fitted by the calibration';
COMMENT ON COLUMN bi_frame.ccd_temp_k          IS '[K] {phys.temperature;instr.det} temperature of the CCD';
COMMENT ON COLUMN bi_frame.ra                  IS '[deg] {pos.eq.ra;meta.main} right ascension of the centre, ICRS';
COMMENT ON COLUMN bi_frame.dec                 IS '[deg] {pos.eq.dec;meta.main} declination of the centre, ICRS';
