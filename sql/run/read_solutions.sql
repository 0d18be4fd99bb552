-- WCS and flux scale of the frames of a solution: of all (visit and ccd NULL) or of one; the scale may be another task's.
-- params:  wcs_task_id bigint, scale_task_id bigint, visit bigint, ccd integer
-- returns: task_id bigint, visit bigint, ccd integer, pointing integer, wcs_stage text, wcs_status text, scale_stage text, scale_status text,
--          crval1_deg double precision, crval2_deg double precision, crpix1_pix double precision, crpix2_pix double precision,
--          cd1_1_deg double precision, cd1_2_deg double precision, cd2_1_deg double precision, cd2_2_deg double precision,
--          sip_order integer, sip_a double precision[], sip_b double precision[], flux_mag0_e double precision,
--          flux_mag0_e_err double precision, poly_order integer, poly_mag double precision[], x0_pix double precision,
--          y0_pix double precision, has_jacobian boolean, jacobian_area_deg2 double precision, ccd_mag double precision,
--          visit_mag double precision
SELECT w.task_id,
       w.visit,
       w.ccd,
       COALESCE(v.pointing, 0) AS pointing,
       w.stage AS wcs_stage,
       w.status AS wcs_status,
       f.stage AS scale_stage,
       f.status AS scale_status,
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
       f.has_jacobian,
       f.jacobian_area_deg2,
       f.ccd_mag,
       f.visit_mag
  FROM wcs_solution AS w
  JOIN flux_scale AS f ON f.visit = w.visit AND f.ccd = w.ccd AND f.task_id = CAST(:scale_task_id AS bigint)
  JOIN visit AS v ON v.visit = w.visit
 WHERE w.task_id = CAST(:wcs_task_id AS bigint)
   AND w.visit = COALESCE(CAST(:visit AS bigint), w.visit)
   AND w.ccd = COALESCE(CAST(:ccd AS integer), w.ccd)
 ORDER BY w.visit, w.ccd;
