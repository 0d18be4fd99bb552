-- Places of bright stars in each visit, by the first calibration and by the joint solution: for pairs of stars.
-- params:  run_id bigint, mosaic_task_id bigint, snr_min double precision, n_star_max integer
-- returns: star_id bigint, visit bigint, ra_before double precision, dec_before double precision, ra_after double precision, dec_after double precision
-- Stars with two such detections or more; where they are too many, those of the lowest hashes.
WITH seen AS MATERIALIZED (
    SELECT r.star_id, r.visit, r.ccd, r.source_id, r.ra, r.dec,
           count(*) OVER (PARTITION BY r.star_id) AS n
      FROM star_residual AS r
     WHERE r.task_id = CAST(:mosaic_task_id AS bigint)
       AND r.mag_err < 1.0857 / CAST(:snr_min AS double precision)
       AND r.ra IS NOT NULL
       AND COALESCE(r.reason_astrometry, '') NOT IN ('ambiguous', 'outlier')
), chosen AS MATERIALIZED (
    SELECT s.star_id
      FROM seen AS s
     WHERE s.n >= 2
     GROUP BY s.star_id
     ORDER BY hashint8(s.star_id), s.star_id
     LIMIT CAST(:n_star_max AS integer)
)
SELECT s.star_id,
       s.visit,
       p.ra AS ra_before,
       p.dec AS dec_before,
       s.ra AS ra_after,
       s.dec AS dec_after
  FROM seen AS s
  JOIN chosen AS c ON c.star_id = s.star_id
  JOIN source_sky AS p ON p.visit = s.visit AND p.ccd = s.ccd AND p.source_id = s.source_id
                      AND p.run_id IN (SELECT h.run_id FROM run_chain(CAST(:run_id AS bigint)) AS h)
                      AND p.task_id IN (SELECT t.task_id FROM done_task(CAST(:run_id AS bigint), 'calibrate') AS t)
 ORDER BY s.star_id, s.visit, s.source_id;
