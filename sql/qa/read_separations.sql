-- AM, AD and AF: how well the separations of star pairs at a distance repeat from visit to visit, before and after.
-- params:  run_id bigint, mosaic_task_id bigint, distance_arcmin double precision, snr_min double precision, n_star_max integer, deviation_mas double precision
-- returns: variant text, am_mas double precision, ad_mas double precision, af_percent double precision, n_pair bigint
-- AM: median over pairs of the standard deviation; AD: 90th percentile of the deviations; AF: percentage beyond the
-- limit (deviation_mas). Pairs within 1 arcmin of the distance; at most n_star_max stars, chosen by hash.
WITH chosen AS MATERIALIZED (
    SELECT s.star_id, s.ra, s.dec
      FROM star_solution AS s
     WHERE s.task_id = CAST(:mosaic_task_id AS bigint)
       AND s.ra IS NOT NULL
       AND s.n_obs >= 2
       AND EXISTS (SELECT 1
                     FROM star_residual AS r
                    WHERE r.task_id = s.task_id AND r.star_id = s.star_id
                      AND r.mag_err < 1.0857 / CAST(:snr_min AS double precision))
     ORDER BY hashint8(s.star_id), s.star_id
     LIMIT CAST(:n_star_max AS integer)
), place AS MATERIALIZED (
    SELECT r.star_id, r.visit, x.variant, x.ra, x.dec
      FROM chosen AS c
      JOIN star_residual AS r ON r.task_id = CAST(:mosaic_task_id AS bigint) AND r.star_id = c.star_id
      JOIN source_sky AS p ON p.visit = r.visit AND p.source_id = r.source_id
                          AND p.run_id IN (SELECT h.run_id FROM run_chain(CAST(:run_id AS bigint)) AS h)
                          AND p.task_id IN (SELECT t.task_id FROM done_task(CAST(:run_id AS bigint), 'calibrate') AS t)
     CROSS JOIN LATERAL (VALUES ('before', CAST(p.ra AS double precision), CAST(p.dec AS double precision)),
                                ('after', CAST(r.ra AS double precision), CAST(r.dec AS double precision)))
           AS x (variant, ra, dec)
     WHERE COALESCE(r.reason_astrometry, '') NOT IN ('ambiguous', 'outlier')
       AND x.ra IS NOT NULL
), pair AS MATERIALIZED (
    SELECT a.star_id AS star_a, b.star_id AS star_b
      FROM chosen AS a
      JOIN chosen AS b ON b.star_id > a.star_id
                      AND b.dec BETWEEN a.dec - (CAST(:distance_arcmin AS double precision) + 1.0) / 60.0
                                    AND a.dec + (CAST(:distance_arcmin AS double precision) + 1.0) / 60.0
     WHERE q3c_dist(a.ra, a.dec, b.ra, b.dec)
           BETWEEN (CAST(:distance_arcmin AS double precision) - 1.0) / 60.0
               AND (CAST(:distance_arcmin AS double precision) + 1.0) / 60.0
), separation AS (
    SELECT p.star_a, p.star_b, a.variant, 3.6e6 * q3c_dist(a.ra, a.dec, b.ra, b.dec) AS sep_mas
      FROM pair AS p
      JOIN place AS a ON a.star_id = p.star_a
      JOIN place AS b ON b.star_id = p.star_b AND b.visit = a.visit AND b.variant = a.variant
), spread AS (
    SELECT s.star_a, s.star_b, s.variant, stddev_samp(s.sep_mas) AS rms_mas
      FROM separation AS s
     GROUP BY s.star_a, s.star_b, s.variant
    HAVING count(*) >= 2
), deviation AS (
    SELECT s.variant, abs(s.sep_mas - avg(s.sep_mas) OVER pairs) AS dev_mas, count(*) OVER pairs AS n
      FROM separation AS s
    WINDOW pairs AS (PARTITION BY s.star_a, s.star_b, s.variant)
), tail AS (
    SELECT d.variant,
           percentile_cont(0.9) WITHIN GROUP (ORDER BY d.dev_mas) AS ad_mas,
           100.0 * avg(CASE WHEN d.dev_mas > CAST(:deviation_mas AS double precision) THEN 1.0 ELSE 0.0 END) AS af_percent
      FROM deviation AS d
     WHERE d.n >= 3
     GROUP BY d.variant
)
SELECT s.variant,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY s.rms_mas) AS am_mas,
       max(t.ad_mas) AS ad_mas,
       CAST(max(t.af_percent) AS double precision) AS af_percent,
       count(*) AS n_pair
  FROM spread AS s
  LEFT JOIN tail AS t ON t.variant = s.variant
 GROUP BY s.variant
 ORDER BY s.variant;
