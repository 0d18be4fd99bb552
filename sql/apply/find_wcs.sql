-- The WCS that holds for a frame in a tract: the joint one, or the first calibration's where that was rejected.
-- params:  run_id bigint, tract integer, visit bigint, ccd integer
-- returns: stage text, status text, crval1_deg double precision, crval2_deg double precision, crpix1_pix double precision, crpix2_pix double precision, cd1_1_deg double precision, cd1_2_deg double precision, cd2_1_deg double precision, cd2_2_deg double precision, sip_order integer, sip_a double precision[], sip_b double precision[], n_star integer, rms_mas double precision, has_joint boolean, is_catalog boolean
-- has_joint: whether the joint solution has the frame, rejected or not; is_catalog: whether it came as a catalog.
SELECT w.stage,
       w.status,
       w.crval1_deg,
       w.crval2_deg,
       w.crpix1_pix,
       w.crpix2_pix,
       w.cd1_1_deg,
       w.cd1_2_deg,
       w.cd2_1_deg,
       w.cd2_2_deg,
       w.sip_order,
       w.sip_a,
       w.sip_b,
       w.n_star,
       w.rms_mas,
       bool_or(w.stage = 'mosaic') OVER () AS has_joint,
       bool_or(w.stage = 'catalog') OVER () AS is_catalog
  FROM wcs_solution AS w
 WHERE w.visit = CAST(:visit AS bigint)
   AND w.ccd = CAST(:ccd AS integer)
   AND ((w.tract = CAST(:tract AS integer)
         AND w.task_id IN (SELECT t.task_id FROM done_task(CAST(:run_id AS bigint), 'mosaic') AS t))
     OR w.task_id IN (SELECT t.task_id
                        FROM done_task(CAST(:run_id AS bigint), 'calibrate') AS t
                       WHERE t.visit = CAST(:visit AS bigint) AND t.ccd = CAST(:ccd AS integer)))
 ORDER BY (w.stage = 'mosaic' AND w.status <> 'rejected') DESC, (w.stage <> 'mosaic') DESC
 LIMIT 1;
