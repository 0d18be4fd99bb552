-- Every detection of every run, with its place, its brightness and when it was seen.
CREATE VIEW source_info AS
SELECT s.run_id                                                       AS run_id,
       s.visit                                                        AS visit,
       s.ccd                                                          AS ccd,
       s.source_id                                                    AS source_id,
       v.filter                                                       AS filter,
       v.obs_mjd                                                      AS obs_mjd,
       s.ra                                                           AS ra,
       s.dec                                                          AS dec,
       s.ra_mas_err                                                   AS ra_mas_err,
       s.dec_mas_err                                                  AS dec_mas_err,
       s.flux_njy                                                     AS flux_njy,
       s.flux_njy_err                                                 AS flux_njy_err,
       CAST(njy_to_abmag(s.flux_njy) AS finite8)                      AS mag,
       CAST(njy_to_abmag_err(s.flux_njy, s.flux_njy_err) AS finite8)  AS mag_err
  FROM source_sky AS s
  JOIN visit AS v ON v.visit = s.visit
  JOIN task AS t ON t.task_id = s.task_id AND t.status = 'done';
COMMENT ON VIEW   source_info               IS 'Every detection with place, brightness and time, by the first calibration of its frame, in every run';
COMMENT ON COLUMN source_info.run_id        IS '[-] {meta.id} run';
COMMENT ON COLUMN source_info.visit         IS '[-] {meta.id;obs} number of the visit';
COMMENT ON COLUMN source_info.ccd           IS '[-] {meta.id;instr.det} number of the CCD';
COMMENT ON COLUMN source_info.source_id     IS '[-] {meta.id;src} source: (visit * 200 + ccd) << 32 | running number from 1';
COMMENT ON COLUMN source_info.filter        IS '[-] {meta.id;instr.filter} physical filter';
COMMENT ON COLUMN source_info.obs_mjd       IS '[d] {time.epoch} MJD, TAI, middle of the exposure';
COMMENT ON COLUMN source_info.ra            IS '[deg] {pos.eq.ra;meta.main} right ascension, ICRS, [0, 360)';
COMMENT ON COLUMN source_info.dec           IS '[deg] {pos.eq.dec;meta.main} declination, ICRS';
COMMENT ON COLUMN source_info.ra_mas_err    IS '[mas] {stat.error;pos.eq.ra} one sigma of ra times cos(dec), from the centroid';
COMMENT ON COLUMN source_info.dec_mas_err   IS '[mas] {stat.error;pos.eq.dec} one sigma of dec, from the centroid';
COMMENT ON COLUMN source_info.flux_njy      IS '[nJy] {phot.flux.density} calibrated 12-pix aperture flux (catalogs: their main flux)';
COMMENT ON COLUMN source_info.flux_njy_err  IS '[nJy] {stat.error;phot.flux.density} one sigma of flux_njy';
COMMENT ON COLUMN source_info.mag           IS '[mag] {phot.mag} AB magnitude; NULL unless the flux is positive';
COMMENT ON COLUMN source_info.mag_err       IS '[mag] {stat.error;phot.mag} one sigma of mag';
