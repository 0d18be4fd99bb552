-- Stars of a joint solution with their mean magnitude and its scatter: catalog.fits, and stars against references.
-- params:  mosaic_task_id bigint
-- returns: star_id bigint, ra double precision, dec double precision, mag double precision, rms_mag double precision, n_obs integer, ref_mag double precision, ref_mag_err double precision, snr double precision, is_reserved boolean
SELECT s.star_id,
       s.ra,
       s.dec,
       s.mag,
       r.rms_mag,
       CAST(s.n_obs AS integer) AS n_obs,
       s.ref_mag,
       s.ref_mag_err,
       1.0857 / s.mag_err AS snr,
       s.is_reserved
  FROM star_solution AS s
  LEFT JOIN (SELECT o.star_id, sqrt(avg(CAST(o.mag_after_mmag AS double precision) ^ 2)) / 1000.0 AS rms_mag
               FROM star_residual AS o
              WHERE o.task_id = CAST(:mosaic_task_id AS bigint)
              GROUP BY o.star_id) AS r ON r.star_id = s.star_id
 WHERE s.task_id = CAST(:mosaic_task_id AS bigint)
 ORDER BY s.star_id;
