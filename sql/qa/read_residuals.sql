-- Residuals of the detections for the pictures.
-- params:  mosaic_task_id bigint
-- returns: visit bigint, ccd integer, u_pix double precision, v_pix double precision, mag double precision, ra_before_mas double precision, dec_before_mas double precision, mag_before_mmag double precision, ra_after_mas double precision, dec_after_mas double precision, mag_after_mmag double precision, is_used boolean, is_reserved boolean
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
       r.is_used_astrometry AS is_used,
       r.is_reserved
  FROM star_residual AS r
 WHERE r.task_id = CAST(:mosaic_task_id AS bigint)
 ORDER BY r.visit, r.ccd, r.source_id;
