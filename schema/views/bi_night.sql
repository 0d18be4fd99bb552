-- For dashboards: one row per night and filter.
CREATE VIEW bi_night AS
SELECT CAST(b.night AS timestamp) AT TIME ZONE 'UTC'                  AS night_start,
       b.night                                                        AS night,
       b.filter                                                       AS filter,
       count(DISTINCT b.visit)                                        AS n_visit,
       count(*)                                                       AS n_frame,
       count(b.zero_point_mag)                                        AS n_calibrated,
       min(b.obs_start)                                               AS first_start,
       max(b.obs_start)                                               AS last_start,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY b.seeing_arcsec)   AS seeing_arcsec,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY b.psf_ellipticity) AS psf_ellipticity,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY b.background_e)    AS background_e,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY b.zero_point_mag)  AS zero_point_mag,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY b.ref_rms_mas)     AS ref_rms_mas,
       CAST(sum(b.n_source) AS bigint)                                AS n_source
  FROM bi_frame AS b
 GROUP BY b.night, b.filter;
COMMENT ON VIEW   bi_night                  IS 'One row per night and filter, for dashboards';
COMMENT ON COLUMN bi_night.night_start      IS '[-] {time.start;obs} begin of the date, UTC';
COMMENT ON COLUMN bi_night.night            IS '[-] {time.epoch;obs} date of the start, UTC';
COMMENT ON COLUMN bi_night.filter           IS '[-] {meta.id;instr.filter} physical filter';
COMMENT ON COLUMN bi_night.n_visit          IS '[-] {meta.number} visits';
COMMENT ON COLUMN bi_night.n_frame          IS '[-] {meta.number} frames';
COMMENT ON COLUMN bi_night.n_calibrated     IS '[-] {meta.number} frames with a calibration';
COMMENT ON COLUMN bi_night.first_start      IS '[-] {time.start;obs} start of the first exposure, UTC';
COMMENT ON COLUMN bi_night.last_start       IS '[-] {time.end;obs} start of the last exposure, UTC';
COMMENT ON COLUMN bi_night.seeing_arcsec    IS '[arcsec] {instr.obsty.seeing;stat.median} median FWHM of the PSF of the CCDs';
COMMENT ON COLUMN bi_night.psf_ellipticity  IS '[-] {src.ellipticity;stat.median} median ellipticity of the PSF';
COMMENT ON COLUMN bi_night.background_e     IS '[electron] {instr.skyLevel;stat.median} median background';
COMMENT ON COLUMN bi_night.zero_point_mag   IS '[mag] {phot.calib;stat.median} median zero point';
COMMENT ON COLUMN bi_night.ref_rms_mas      IS '[mas] {stat.stdev;pos} median rms per axis against reference stars';
COMMENT ON COLUMN bi_night.n_source         IS '[-] {meta.number} sources stored';
