-- Stars against their reference stars: by the joint solution, and by the plain mean of the first calibrations.
-- params:  run_id bigint, mosaic_task_id bigint, tract integer, filter text, ref_catalog_id integer
-- returns: variant text, sample text, median_ra_mas double precision, median_dec_mas double precision, rms_ra_mas double precision, rms_dec_mas double precision, median_mmag double precision, rms_mmag double precision, n_position bigint, n_mag bigint
WITH first AS (
    -- offsets of the detections by the first calibration from the star's joint place: residual before minus residual
    -- after is their difference, and adding the star's mean brings back what the residuals have lost. In one order, so
    -- that sums are the same to the last digit whatever the plan
    SELECT r.star_id,
           avg(((p.ra - s.ra + 540.0) - 360.0 * floor((p.ra - s.ra + 540.0) / 360.0) - 180.0)
               * cos(radians(s.dec)) * 3.6e6 ORDER BY r.visit, r.ccd) AS ra_mas,
           avg((p.dec - s.dec) * 3.6e6 ORDER BY r.visit, r.ccd) AS dec_mas,
           avg(2.5 * log(3631e9 / CAST(p.flux_njy AS double precision)) ORDER BY r.visit, r.ccd)
               FILTER (WHERE p.flux_njy > 0) AS mag
      FROM star_residual AS r
      JOIN star_solution AS s ON s.task_id = r.task_id AND s.star_id = r.star_id
      JOIN source_sky AS p ON p.visit = r.visit AND p.ccd = r.ccd AND p.source_id = r.source_id
                          AND p.run_id IN (SELECT c.run_id FROM run_chain(CAST(:run_id AS bigint)) AS c)
                          AND p.task_id IN (SELECT t.task_id FROM done_task(CAST(:run_id AS bigint), 'calibrate') AS t)
     WHERE r.task_id = CAST(:mosaic_task_id AS bigint)
       AND s.ra IS NOT NULL
     GROUP BY r.star_id
), compared AS (
    SELECT s.star_id, s.is_reserved, x.variant, x.ra_mas, x.dec_mas, x.mmag
      FROM star_solution AS s
      JOIN done_task(CAST(:run_id AS bigint), 'match') AS t
        ON t.tract = CAST(:tract AS integer) AND t.filter = CAST(:filter AS text)
      JOIN star_ref AS f ON f.task_id = t.task_id AND f.star_id = s.star_id
                        AND f.ref_catalog_id = CAST(:ref_catalog_id AS integer)
      JOIN first AS o ON o.star_id = s.star_id
     CROSS JOIN LATERAL (
           SELECT ((s.ra - f.ra + 540.0) - 360.0 * floor((s.ra - f.ra + 540.0) / 360.0) - 180.0)
                  * cos(radians(s.dec)) * 3.6e6 AS ra_mas,
                  (s.dec - f.dec) * 3.6e6 AS dec_mas) AS d
     CROSS JOIN LATERAL (VALUES
           ('after', d.ra_mas, d.dec_mas, 1000.0 * (s.mag - s.ref_mag)),
           ('before', d.ra_mas + o.ra_mas, d.dec_mas + o.dec_mas, 1000.0 * (o.mag - s.ref_mag)))
           AS x (variant, ra_mas, dec_mas, mmag)
     WHERE s.task_id = CAST(:mosaic_task_id AS bigint)
), middle AS (
    SELECT c.variant, q.sample,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY c.ra_mas) AS ra_mas,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY c.dec_mas) AS dec_mas,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY c.mmag) AS mmag,
           0.7413 * (percentile_cont(0.75) WITHIN GROUP (ORDER BY c.ra_mas)
                   - percentile_cont(0.25) WITHIN GROUP (ORDER BY c.ra_mas)) AS ra_sigma,
           0.7413 * (percentile_cont(0.75) WITHIN GROUP (ORDER BY c.dec_mas)
                   - percentile_cont(0.25) WITHIN GROUP (ORDER BY c.dec_mas)) AS dec_sigma,
           0.7413 * (percentile_cont(0.75) WITHIN GROUP (ORDER BY c.mmag)
                   - percentile_cont(0.25) WITHIN GROUP (ORDER BY c.mmag)) AS mag_sigma
      FROM compared AS c
      JOIN (VALUES ('all', NULL), ('reserved', true), ('fitted', false)) AS q (sample, is_reserved)
        ON q.is_reserved IS NULL OR q.is_reserved = c.is_reserved
     GROUP BY c.variant, q.sample
), judged AS (
    -- a star that is 5 sigma off by either calibration is left out of both, or before and after would be of other stars
    SELECT m.variant, m.sample, c.star_id, c.ra_mas, c.dec_mas, c.mmag,
           m.ra_mas AS median_ra_mas, m.dec_mas AS median_dec_mas, m.mmag AS median_mmag,
           bool_and(abs(c.ra_mas - m.ra_mas) < 5 * m.ra_sigma) OVER (PARTITION BY m.sample, c.star_id) AS has_ra,
           bool_and(abs(c.dec_mas - m.dec_mas) < 5 * m.dec_sigma) OVER (PARTITION BY m.sample, c.star_id) AS has_dec,
           bool_and(abs(c.mmag - m.mmag) < 5 * m.mag_sigma) OVER (PARTITION BY m.sample, c.star_id) AS has_mag
      FROM middle AS m
      JOIN compared AS c ON c.variant = m.variant
                        AND (m.sample = 'all' OR c.is_reserved = (m.sample = 'reserved'))
)
SELECT j.variant,
       j.sample,
       j.median_ra_mas,
       j.median_dec_mas,
       sqrt(avg((j.ra_mas - j.median_ra_mas) ^ 2 ORDER BY j.star_id) FILTER (WHERE j.has_ra)) AS rms_ra_mas,
       sqrt(avg((j.dec_mas - j.median_dec_mas) ^ 2 ORDER BY j.star_id) FILTER (WHERE j.has_dec)) AS rms_dec_mas,
       j.median_mmag,
       sqrt(avg((j.mmag - j.median_mmag) ^ 2 ORDER BY j.star_id) FILTER (WHERE j.has_mag)) AS rms_mmag,
       count(j.ra_mas) AS n_position,
       count(j.mmag) AS n_mag
  FROM judged AS j
 GROUP BY j.variant, j.sample, j.median_ra_mas, j.median_dec_mas, j.median_mmag
 ORDER BY j.variant, j.sample;
