-- PA1, PF1 (beyond 15 mmag) and PA2 (at PF1 = 10 %) of the LSST science requirements, before and after.
-- params:  mosaic_task_id bigint, snr_min double precision
-- returns: variant text, sample text, pa1_mmag double precision, pf1_percent double precision, pa2_mmag double precision, n_star bigint, n_obs bigint
-- PA1 is the median over stars of the standard deviation (3 or more detections); faro's PF1 and PA2 go by detection.
WITH detection AS (
    SELECT r.star_id, s.sample, x.variant, x.mmag,
           count(*) OVER star AS n,
           avg(x.mmag) OVER star AS mean_mmag
      FROM star_residual AS r
      JOIN (VALUES ('all', NULL), ('reserved', true), ('fitted', false)) AS s (sample, is_reserved)
        ON s.is_reserved IS NULL OR s.is_reserved = r.is_reserved
     CROSS JOIN LATERAL (VALUES ('before', CAST(r.mag_before_mmag AS double precision)),
                                ('after', CAST(r.mag_after_mmag AS double precision))) AS x (variant, mmag)
     WHERE r.task_id = CAST(:mosaic_task_id AS bigint)
       AND x.mmag IS NOT NULL
       AND COALESCE(r.reason_photometry, '') <> 'ambiguous'
       AND r.mag_err < 1.0857 / CAST(:snr_min AS double precision)
    WINDOW star AS (PARTITION BY r.star_id, s.sample, x.variant)
), star AS (
    SELECT d.variant, d.sample, d.star_id, stddev_samp(d.mmag) AS sd
      FROM detection AS d
     WHERE d.n >= 3
     GROUP BY d.variant, d.sample, d.star_id
), median AS (
    SELECT s.variant, s.sample, percentile_cont(0.5) WITHIN GROUP (ORDER BY s.sd) AS pa1_mmag, count(*) AS n_star
      FROM star AS s
     GROUP BY s.variant, s.sample
)
SELECT m.variant,
       m.sample,
       m.pa1_mmag,
       CAST(100.0 * avg(CASE WHEN abs(d.mmag - d.mean_mmag) > 15.0 THEN 1.0 ELSE 0.0 END) AS double precision) AS pf1_percent,
       percentile_cont(0.9) WITHIN GROUP (ORDER BY abs(d.mmag - d.mean_mmag)) AS pa2_mmag,
       m.n_star,
       count(*) AS n_obs
  FROM median AS m
  JOIN detection AS d ON d.variant = m.variant AND d.sample = m.sample AND d.n >= 3
 GROUP BY m.variant, m.sample, m.pa1_mmag, m.n_star
 ORDER BY m.variant, m.sample;
