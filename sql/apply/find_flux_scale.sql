-- The flux scale that holds for a frame in a tract: the joint one, or the first calibration's where that was rejected or is not there.
-- params:  run_id bigint, tract integer, visit bigint, ccd integer
-- returns: stage text, status text, flux_mag0_e double precision, flux_mag0_e_err double precision, poly_order integer, poly_mag double precision[], x0_pix double precision, y0_pix double precision, has_jacobian boolean, jacobian_area_deg2 double precision
SELECT f.stage,
       f.status,
       f.flux_mag0_e,
       f.flux_mag0_e_err,
       f.poly_order,
       f.poly_mag,
       f.x0_pix,
       f.y0_pix,
       f.has_jacobian,
       f.jacobian_area_deg2
  FROM flux_scale AS f
 WHERE f.visit = CAST(:visit AS bigint)
   AND f.ccd = CAST(:ccd AS integer)
   AND ((f.tract = CAST(:tract AS integer) AND f.status <> 'rejected'
         AND f.task_id IN (SELECT t.task_id FROM done_task(CAST(:run_id AS bigint), 'mosaic') AS t))
     OR f.task_id IN (SELECT t.task_id
                        FROM done_task(CAST(:run_id AS bigint), 'calibrate') AS t
                       WHERE t.visit = CAST(:visit AS bigint) AND t.ccd = CAST(:ccd AS integer)))
 ORDER BY (f.stage = 'mosaic') DESC
 LIMIT 1;
