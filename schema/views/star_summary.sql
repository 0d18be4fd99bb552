-- One row per star of each match, with what the newest joint solution of its run or a run built on it found.
CREATE VIEW star_summary AS
SELECT s.task_id                                                  AS match_task_id,
       s.star_id                                                  AS star_id,
       s.run_id                                                   AS run_id,
       j.task_id                                                  AS mosaic_task_id,
       s.tract                                                    AS tract,
       s.filter                                                   AS filter,
       COALESCE(m.ra, s.ra)                                       AS ra,
       COALESCE(m.dec, s.dec)                                     AS dec,
       COALESCE(m.mag, CAST(njy_to_abmag(s.flux_njy) AS finite8)) AS mag,
       m.mag_err                                                  AS mag_err,
       s.n_visit                                                  AS n_visit,
       r.n_obs                                                    AS n_obs,
       r.n_used                                                   AS n_used,
       CAST(r.rms_mmag AS finite8)                                AS rms_mmag,
       CAST(r.chi2_mag AS finite8)                                AS chi2_mag,
       CAST(r.rms_ra_mas AS finite8)                              AS rms_ra_mas,
       CAST(r.rms_dec_mas AS finite8)                             AS rms_dec_mas,
       m.ref_mag                                                  AS ref_mag,
       CAST(1000 * (m.mag - m.ref_mag) AS finite8)                AS ref_offset_mmag,
       s.is_ambiguous                                             AS is_ambiguous,
       s.is_reserved                                              AS is_reserved
  FROM star AS s
  LEFT JOIN LATERAL (SELECT n.task_id
                       FROM task AS n
                      WHERE n.stage = 'mosaic' AND n.status = 'done' AND n.tract = s.tract AND n.filter = s.filter
                        AND s.run_id IN (SELECT c.run_id FROM run_chain(n.run_id) AS c)
                      ORDER BY n.task_id DESC LIMIT 1) AS j ON true
  LEFT JOIN star_solution AS m ON m.task_id = j.task_id AND m.star_id = s.star_id
  LEFT JOIN LATERAL (SELECT count(*) AS n_obs,
                            count(*) FILTER (WHERE n.is_used_photometry) AS n_used,
                            stddev_samp(n.mag_after_mmag) FILTER (WHERE n.is_used_photometry) AS rms_mmag,
                            chi2_per_freedom(n.mag, n.mag_err) FILTER (WHERE n.is_used_photometry) AS chi2_mag,
                            stddev_samp(n.ra_after_mas) FILTER (WHERE n.is_used_astrometry) AS rms_ra_mas,
                            stddev_samp(n.dec_after_mas) FILTER (WHERE n.is_used_astrometry) AS rms_dec_mas
                       FROM star_residual AS n
                      WHERE n.task_id = j.task_id AND n.star_id = s.star_id) AS r ON true;
COMMENT ON VIEW   star_summary                  IS 'Stars with their magnitude, its scatter and their residuals in the newest joint solution';
COMMENT ON COLUMN star_summary.match_task_id    IS '[-] {meta.id} match task: star.task_id';
COMMENT ON COLUMN star_summary.star_id          IS '[-] {meta.id;src;meta.main} star, unique in a match task';
COMMENT ON COLUMN star_summary.run_id           IS '[-] {meta.id} run of the match';
COMMENT ON COLUMN star_summary.mosaic_task_id   IS '[-] {meta.id} mosaic task of the next columns; NULL before';
COMMENT ON COLUMN star_summary.tract            IS '[-] {meta.id;pos} tract';
COMMENT ON COLUMN star_summary.filter           IS '[-] {meta.id;instr.filter} physical filter';
COMMENT ON COLUMN star_summary.ra               IS '[deg] {pos.eq.ra;meta.main} right ascension, ICRS: joint, else mean of the detections';
COMMENT ON COLUMN star_summary.dec              IS '[deg] {pos.eq.dec;meta.main} declination, ICRS';
COMMENT ON COLUMN star_summary.mag              IS '[mag] {phot.mag} AB magnitude: joint, else of the median flux';
COMMENT ON COLUMN star_summary.mag_err          IS '[mag] {stat.error;phot.mag} one sigma of mag';
COMMENT ON COLUMN star_summary.n_visit          IS '[-] {meta.number} visits in which it was seen';
COMMENT ON COLUMN star_summary.n_obs            IS '[-] {meta.number} detections in the joint solution';
COMMENT ON COLUMN star_summary.n_used           IS '[-] {meta.number} detections used in the photometric fit';
COMMENT ON COLUMN star_summary.rms_mmag         IS '[mmag] {stat.stdev;phot.mag} scatter of the magnitudes used';
COMMENT ON COLUMN star_summary.chi2_mag         IS '[-] {stat.fit.chi2;phot.mag} chi-square per degree of freedom of the magnitudes used';
COMMENT ON COLUMN star_summary.rms_ra_mas       IS '[mas] {stat.stdev;pos.eq.ra} scatter in ra times cos(dec) of the positions used';
COMMENT ON COLUMN star_summary.rms_dec_mas      IS '[mas] {stat.stdev;pos.eq.dec} scatter in dec of the positions used';
COMMENT ON COLUMN star_summary.ref_mag          IS '[mag] {phot.mag} reference magnitude in this filter, color term applied';
COMMENT ON COLUMN star_summary.ref_offset_mmag  IS '[mmag] {phot.mag;arith.diff} mag less ref_mag';
COMMENT ON COLUMN star_summary.is_ambiguous     IS '[-] {meta.code.qual} another detection of one of the visits lies within the match radius';
COMMENT ON COLUMN star_summary.is_reserved      IS '[-] {meta.code} kept out of every fit, to judge it';
