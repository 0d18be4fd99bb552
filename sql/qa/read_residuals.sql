-- Residuals of the detections for the pictures and tables; n_seen: detections of the star.
-- params:  mosaic_task_id bigint
-- returns: star_id bigint, visit bigint, ccd integer, n_seen bigint, u_pix double precision, v_pix double precision, ra double precision, dec double precision, mag double precision, ref_mag double precision, ra_before_mas double precision, dec_before_mas double precision, mag_before_mmag double precision, ra_after_mas double precision, dec_after_mas double precision, mag_after_mmag double precision, position_mas_err double precision, snr double precision, is_used boolean, is_used_photometry boolean, is_reserved boolean
SELECT r.star_id,
       r.visit,
       r.ccd,
       count(*) OVER (PARTITION BY r.star_id) AS n_seen,
       r.u_pix,
       r.v_pix,
       r.ra,
       r.dec,
       r.mag,
       s.ref_mag,
       r.ra_before_mas,
       r.dec_before_mas,
       r.mag_before_mmag,
       r.ra_after_mas,
       r.dec_after_mas,
       r.mag_after_mmag,
       r.position_mas_err,
       1.0857 / r.mag_err AS snr,
       r.is_used_astrometry AS is_used,
       r.is_used_photometry,
       r.is_reserved
  FROM star_residual AS r
  LEFT JOIN star_solution AS s ON s.task_id = r.task_id AND s.star_id = r.star_id
 WHERE r.task_id = CAST(:mosaic_task_id AS bigint)
 ORDER BY r.visit, r.ccd, r.source_id;
