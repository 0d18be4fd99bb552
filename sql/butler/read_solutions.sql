-- The joint solution of a tract and filter that a run itself has made: WCS and flux scale of each frame.
-- params:  run_id bigint, tract integer, filter text
-- returns: task_id bigint, visit bigint, ccd integer, pointing integer, status text, crval1_deg double precision, crval2_deg double precision,
--          crpix1_pix double precision, crpix2_pix double precision, cd1_1_deg double precision, cd1_2_deg double precision,
--          cd2_1_deg double precision, cd2_2_deg double precision, sip_order integer, sip_a double precision[], sip_b double precision[],
--          flux_mag0_e double precision, flux_mag0_e_err double precision, poly_order integer, poly_mag double precision[],
--          x0_pix double precision, y0_pix double precision, jacobian_area_deg2 double precision
SELECT w.task_id,
       w.visit,
       w.ccd,
       COALESCE(v.pointing, 0) AS pointing,
       f.status,
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
       f.flux_mag0_e,
       f.flux_mag0_e_err,
       f.poly_order,
       f.poly_mag,
       f.x0_pix,
       f.y0_pix,
       f.jacobian_area_deg2
  FROM task AS t
  JOIN wcs_solution AS w ON w.task_id = t.task_id
  JOIN flux_scale AS f ON f.task_id = t.task_id AND f.visit = w.visit AND f.ccd = w.ccd
  JOIN visit AS v ON v.visit = w.visit
 WHERE t.run_id = :run_id
   AND t.stage = 'mosaic'
   AND t.status = 'done'
   AND t.tract = :tract
   AND t.filter = :filter
 ORDER BY w.visit, w.ccd;
