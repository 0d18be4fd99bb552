-- The WCS of the CCDs of a visit that are calibrated already, but one.
-- params:  run_id bigint, visit bigint, ccd integer
-- returns: ccd integer, crval1_deg double precision, crval2_deg double precision, crpix1_pix double precision,
--          crpix2_pix double precision, cd1_1_deg double precision, cd1_2_deg double precision,
--          cd2_1_deg double precision, cd2_2_deg double precision, sip_order integer, sip_a double precision[],
--          sip_b double precision[]
SELECT w.ccd,
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
       w.sip_b
  FROM done_task(CAST(:run_id AS bigint), 'calibrate') AS t
  JOIN wcs_solution AS w ON w.task_id = t.task_id
 WHERE t.visit = CAST(:visit AS bigint)
   AND w.ccd <> CAST(:ccd AS integer)
   AND w.status = 'solved'
 ORDER BY w.ccd;
