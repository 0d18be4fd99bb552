-- WCS and flux scale of every frame of a joint solution, accepted or not.
-- params:  mosaic_task_id bigint
-- returns: visit bigint, ccd integer, status text, crval1_deg double precision, crval2_deg double precision, crpix1_pix double precision, crpix2_pix double precision, cd1_1_deg double precision, cd1_2_deg double precision, cd2_1_deg double precision, cd2_2_deg double precision, sip_order integer, sip_a double precision[], sip_b double precision[], poly_order integer, poly_mag double precision[], x0_pix double precision, y0_pix double precision, has_jacobian boolean, jacobian_area_deg2 double precision, ccd_mag double precision, visit_mag double precision
SELECT w.visit,
       w.ccd,
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
       f.poly_order,
       f.poly_mag,
       f.x0_pix,
       f.y0_pix,
       f.has_jacobian,
       f.jacobian_area_deg2,
       f.ccd_mag,
       f.visit_mag
  FROM wcs_solution AS w
  JOIN flux_scale AS f ON f.task_id = w.task_id AND f.visit = w.visit AND f.ccd = w.ccd
 WHERE w.task_id = CAST(:mosaic_task_id AS bigint)
 ORDER BY w.visit, w.ccd;
