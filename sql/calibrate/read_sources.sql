-- What detect measured on a frame, as far as calibrate needs it.
-- params:  run_id bigint, visit bigint, ccd integer
-- returns: source_id bigint, n_child integer, flags bigint, x_pix double precision, y_pix double precision,
--          x_pix_err double precision, y_pix_err double precision, x_y_pix2_cov double precision,
--          psf_flux_e double precision, psf_flux_e_err double precision, aper_12_0_flux_e double precision,
--          aper_12_0_flux_e_err double precision, extendedness double precision
SELECT s.source_id,
       s.n_child,
       s.flags,
       s.x_pix,
       s.y_pix,
       s.x_pix_err,
       s.y_pix_err,
       s.x_y_pix2_cov,
       s.psf_flux_e,
       s.psf_flux_e_err,
       s.aper_12_0_flux_e,
       s.aper_12_0_flux_e_err,
       s.extendedness
  FROM done_task(CAST(:run_id AS bigint), 'detect') AS t
  JOIN source AS s ON s.task_id = t.task_id AND s.run_id = t.run_id AND s.visit = t.visit
 WHERE t.visit = CAST(:visit AS bigint)
   AND t.ccd = CAST(:ccd AS integer)
   -- constants, so that only the partitions of the visit are opened
   AND s.visit = CAST(:visit AS bigint)
   AND s.run_id IN (SELECT c.run_id FROM run_chain(CAST(:run_id AS bigint)) AS c)
 ORDER BY s.source_id;
