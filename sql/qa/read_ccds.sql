-- CCD terms of a joint solution, in the last epoch of the camera in which each CCD was used.
-- params:  mosaic_task_id bigint
-- returns: ccd integer, shift_u_pix double precision, shift_v_pix double precision, turn_rad double precision, scale_mag double precision, scale_mag_err double precision, n_obs integer
SELECT DISTINCT ON (c.ccd)
       c.ccd,
       c.shift_u_pix,
       c.shift_v_pix,
       c.turn_rad,
       c.scale_mag,
       c.scale_mag_err,
       c.n_obs
  FROM mosaic_ccd AS c
 WHERE c.task_id = CAST(:mosaic_task_id AS bigint)
 ORDER BY c.ccd, c.epoch DESC;
