-- Residuals of the detections for the pictures; a star seen once has none to show.
-- params:  mosaic_task_id bigint
-- returns: visit bigint, ccd integer, u_pix double precision, v_pix double precision, mag double precision, ra_before_mas double precision, dec_before_mas double precision, mag_before_mmag double precision, ra_after_mas double precision, dec_after_mas double precision, mag_after_mmag double precision, position_mas_err double precision, snr double precision, is_used boolean, is_reserved boolean
SELECT r.visit,
       r.ccd,
       r.u_pix,
       r.v_pix,
       r.mag,
       r.ra_before_mas,
       r.dec_before_mas,
       r.mag_before_mmag,
       r.ra_after_mas,
       r.dec_after_mas,
       r.mag_after_mmag,
       r.position_mas_err,
       1.0857 / r.mag_err AS snr,
       r.is_used_astrometry AS is_used,
       r.is_reserved
  FROM (SELECT o.*, count(*) OVER (PARTITION BY o.star_id) AS n_seen
          FROM star_residual AS o
         WHERE o.task_id = CAST(:mosaic_task_id AS bigint)) AS r
 WHERE r.n_seen >= 2
 ORDER BY r.visit, r.ccd, r.source_id;
