-- Scatter of the detections about their stars, before and after the joint solution: of all, per visit and per ccd.
-- params:  mosaic_task_id bigint, snr_min double precision
-- returns: variant text, sample text, visit bigint, ccd integer, rms_ra_mas double precision, rms_dec_mas double precision, rms_mmag double precision, error_mas double precision, error_mmag double precision, n_position bigint, n_mag bigint
-- Residuals are about the plain mean of the star's detections, not about its solved place, which references may have
-- drawn elsewhere; each group is clipped by its own sigma, so that a bad visit does not hide behind the good ones.
WITH detection AS (
    SELECT r.visit, r.ccd, r.is_reserved, r.position_mas_err, 1000.0 * r.mag_err AS mag_mmag_err, x.variant,
           x.ra_mas - avg(x.ra_mas) OVER star AS ra_mas,
           x.dec_mas - avg(x.dec_mas) OVER star AS dec_mas,
           x.mag_mmag - avg(x.mag_mmag) OVER star AS mag_mmag,
           count(x.ra_mas) OVER star AS n_position, count(x.mag_mmag) OVER star AS n_mag
      FROM star_residual AS r
     CROSS JOIN LATERAL (VALUES ('before', CAST(r.ra_before_mas AS double precision),
                                 CAST(r.dec_before_mas AS double precision),
                                 CAST(r.mag_before_mmag AS double precision)),
                                ('after', CAST(r.ra_after_mas AS double precision),
                                 CAST(r.dec_after_mas AS double precision),
                                 CAST(r.mag_after_mmag AS double precision)))
           AS x (variant, ra_mas, dec_mas, mag_mmag)
     WHERE r.task_id = CAST(:mosaic_task_id AS bigint)
       AND COALESCE(r.reason_astrometry, '') <> 'ambiguous'
    WINDOW star AS (PARTITION BY r.star_id, x.variant)
), bright AS MATERIALIZED (
    -- the mean of n detections has eaten one of them: sqrt(n / (n - 1)) gives it back
    SELECT d.variant, s.sample, g.visit, g.ccd, d.position_mas_err, d.mag_mmag_err,
           CASE WHEN d.n_position >= 2 THEN d.ra_mas * sqrt(d.n_position / (d.n_position - 1.0)) END AS ra_mas,
           CASE WHEN d.n_position >= 2 THEN d.dec_mas * sqrt(d.n_position / (d.n_position - 1.0)) END AS dec_mas,
           CASE WHEN d.n_mag >= 2 THEN d.mag_mmag * sqrt(d.n_mag / (d.n_mag - 1.0)) END AS mag_mmag
      FROM detection AS d
      JOIN (VALUES ('all', NULL), ('reserved', true), ('fitted', false)) AS s (sample, is_reserved)
        ON s.is_reserved IS NULL OR s.is_reserved = d.is_reserved
     CROSS JOIN LATERAL (VALUES (CAST(-1 AS bigint), -1), (d.visit, -1), (CAST(-1 AS bigint), d.ccd)) AS g (visit, ccd)
     WHERE d.mag_mmag_err < 1085.7 / CAST(:snr_min AS double precision)
), typical AS MATERIALIZED (
    SELECT b.variant, b.sample, b.visit, b.ccd,
           1.4826 * percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(b.ra_mas)) AS ra_mas,
           1.4826 * percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(b.dec_mas)) AS dec_mas,
           1.4826 * percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(b.mag_mmag)) AS mag_mmag
      FROM bright AS b
     GROUP BY b.variant, b.sample, b.visit, b.ccd
)
SELECT b.variant,
       b.sample,
       b.visit,
       b.ccd,
       sqrt(avg(b.ra_mas ^ 2) FILTER (WHERE abs(b.ra_mas) <= 5 * t.ra_mas)) AS rms_ra_mas,
       sqrt(avg(b.dec_mas ^ 2) FILTER (WHERE abs(b.dec_mas) <= 5 * t.dec_mas)) AS rms_dec_mas,
       sqrt(avg(b.mag_mmag ^ 2) FILTER (WHERE abs(b.mag_mmag) <= 5 * t.mag_mmag)) AS rms_mmag,
       sqrt(avg(CAST(b.position_mas_err AS double precision) ^ 2)) AS error_mas,
       sqrt(avg(CAST(b.mag_mmag_err AS double precision) ^ 2)) AS error_mmag,
       count(b.ra_mas) AS n_position,
       count(b.mag_mmag) AS n_mag
  FROM bright AS b
  JOIN typical AS t ON t.variant = b.variant AND t.sample = b.sample AND t.visit = b.visit AND t.ccd = b.ccd
 GROUP BY b.variant, b.sample, b.visit, b.ccd
 ORDER BY b.variant, b.sample, visit, ccd;
