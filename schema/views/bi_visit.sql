-- For dashboards: one row per exposure.
CREATE VIEW bi_visit AS
SELECT b.obs_start                                                    AS obs_start,
       b.night                                                        AS night,
       b.visit                                                        AS visit,
       b.filter                                                       AS filter,
       b.band                                                         AS band,
       b.field                                                        AS field,
       b.exposure_s                                                   AS exposure_s,
       b.airmass                                                      AS airmass,
       count(*)                                                       AS n_frame,
       count(b.zero_point_mag)                                        AS n_calibrated,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY b.seeing_arcsec)   AS seeing_arcsec,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY b.psf_ellipticity) AS psf_ellipticity,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY b.background_e)    AS background_e,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY b.zero_point_mag)  AS zero_point_mag,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY b.ref_rms_mas)     AS ref_rms_mas,
       CAST(sum(b.n_source) AS bigint)                                AS n_source
  FROM bi_frame AS b
 GROUP BY b.obs_start, b.night, b.visit, b.filter, b.band, b.field, b.exposure_s, b.airmass;
COMMENT ON VIEW   bi_visit                  IS 'One row per science visit, for dashboards';
COMMENT ON COLUMN bi_visit.obs_start        IS '[-] {time.start;obs} start of the exposure, UTC';
COMMENT ON COLUMN bi_visit.night            IS '[-] {time.epoch;obs} date of the start, UTC';
COMMENT ON COLUMN bi_visit.visit            IS '[-] {meta.id;obs} number of the visit';
COMMENT ON COLUMN bi_visit.filter           IS '[-] {meta.id;instr.filter} physical filter';
COMMENT ON COLUMN bi_visit.band             IS '[-] {instr.bandpass} band of the filter';
COMMENT ON COLUMN bi_visit.field            IS '[-] {meta.id;obs.field} name of the field';
COMMENT ON COLUMN bi_visit.exposure_s       IS '[s] {time.duration;obs.exposure} exposure time';
COMMENT ON COLUMN bi_visit.airmass          IS '[-] {obs.airMass} airmass';
COMMENT ON COLUMN bi_visit.n_frame          IS '[-] {meta.number} frames';
COMMENT ON COLUMN bi_visit.n_calibrated     IS '[-] {meta.number} frames with a calibration';
COMMENT ON COLUMN bi_visit.seeing_arcsec    IS '[arcsec] {instr.obsty.seeing;stat.median} median FWHM of the PSF of the CCDs';
COMMENT ON COLUMN bi_visit.psf_ellipticity  IS '[-] {src.ellipticity;stat.median} median ellipticity of the PSF';
COMMENT ON COLUMN bi_visit.background_e     IS '[electron] {instr.skyLevel;stat.median} median background';
COMMENT ON COLUMN bi_visit.zero_point_mag   IS '[mag] {phot.calib;stat.median} median zero point';
COMMENT ON COLUMN bi_visit.ref_rms_mas      IS '[mas] {stat.stdev;pos} median rms per axis against reference stars';
COMMENT ON COLUMN bi_visit.n_source         IS '[-] {meta.number} sources stored';
