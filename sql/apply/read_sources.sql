-- Sources of a frame as apply needs them: places and fluxes in pixels and electrons.
-- params:  run_id bigint, visit bigint, ccd integer
-- returns: source_id bigint, x_pix double precision, y_pix double precision, x_pix_err double precision, y_pix_err double precision, x_y_pix2_cov double precision, psf_flux_e double precision, psf_flux_e_err double precision, aper_flux_e double precision, aper_flux_e_err double precision, flux_njy double precision, flux_njy_err double precision, first_mag0_e double precision, flags bigint
SELECT s.source_id,
       s.x_pix,
       s.y_pix,
       s.x_pix_err,
       s.y_pix_err,
       s.x_y_pix2_cov,
       s.psf_flux_e,
       s.psf_flux_e_err,
       s.aper_12_0_flux_e AS aper_flux_e,
       s.aper_12_0_flux_e_err AS aper_flux_e_err,
       p.flux_njy,
       p.flux_njy_err,
       f.flux_mag0_e AS first_mag0_e,
       s.flags | p.sky_flags AS flags
  FROM done_task(CAST(:run_id AS bigint), 'calibrate') AS t
  JOIN source_sky AS p ON p.task_id = t.task_id AND p.run_id = t.run_id AND p.visit = t.visit
  JOIN source AS s ON s.visit = p.visit AND s.source_id = p.source_id
                  AND s.run_id IN (SELECT c.run_id FROM run_chain(CAST(:run_id AS bigint)) AS c)
                  AND s.task_id IN (SELECT t.task_id
                                     UNION ALL
                                    SELECT d.task_id
                                      FROM done_task(CAST(:run_id AS bigint), 'detect') AS d
                                     WHERE d.visit = CAST(:visit AS bigint) AND d.ccd = CAST(:ccd AS integer))
  LEFT JOIN flux_scale AS f ON f.task_id = t.task_id
 WHERE t.visit = CAST(:visit AS bigint)
   AND t.ccd = CAST(:ccd AS integer)
 ORDER BY s.source_id;
