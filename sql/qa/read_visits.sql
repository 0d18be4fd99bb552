-- Visit terms of a joint solution.
-- params:  mosaic_task_id bigint
-- returns: visit bigint, crval1_deg double precision, crval2_deg double precision, origin_x_pix double precision, origin_y_pix double precision, field_scale_pix double precision, astrometry_order integer, xi_deg double precision[], eta_deg double precision[], zero_point_mag double precision, zero_point_mag_err double precision
SELECT v.visit,
       v.crval1_deg,
       v.crval2_deg,
       v.origin_x_pix,
       v.origin_y_pix,
       v.field_scale_pix,
       v.astrometry_order,
       v.xi_deg,
       v.eta_deg,
       v.zero_point_mag,
       v.zero_point_mag_err
  FROM mosaic_visit AS v
 WHERE v.task_id = CAST(:mosaic_task_id AS bigint)
 ORDER BY v.visit;
