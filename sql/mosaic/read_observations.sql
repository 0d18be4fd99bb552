-- Detections of the matched stars of a tract and filter, by star and visit.
-- The flux is that of the first calibration, or another one of the source, by its frame's first flux scale.
-- params:  run_id bigint, tract integer, filter text, flux text
-- returns: star_id bigint, visit bigint, ccd integer, source_id bigint, is_reserved boolean, is_ambiguous boolean, x_pix double precision, y_pix double precision, x_pix_err double precision, y_pix_err double precision, x_y_pix2_cov double precision, ra double precision, dec double precision, flux_njy double precision, flux_njy_err double precision
WITH matched AS MATERIALIZED (
    SELECT st.star_id, st.is_reserved, st.is_ambiguous, m.visit, m.ccd, m.source_id
      FROM done_task(CAST(:run_id AS bigint), 'match') AS t
      JOIN star AS st ON st.task_id = t.task_id
      JOIN star_member AS m ON m.run_id = st.run_id AND m.task_id = st.task_id AND m.star_id = st.star_id
     WHERE t.tract = CAST(:tract AS integer) AND t.filter = CAST(:filter AS text)
), calibrated AS MATERIALIZED (
    SELECT t.task_id FROM done_task(CAST(:run_id AS bigint), 'calibrate') AS t
), measured AS MATERIALIZED (
    -- sources of images were written by detect, those of ingested catalogs together with their calibration
    SELECT t.task_id FROM done_task(CAST(:run_id AS bigint), 'detect') AS t
     UNION ALL
    SELECT c.task_id FROM calibrated AS c
)
SELECT m.star_id,
       m.visit,
       m.ccd,
       m.source_id,
       m.is_reserved,
       m.is_ambiguous,
       s.x_pix,
       s.y_pix,
       s.x_pix_err,
       s.y_pix_err,
       s.x_y_pix2_cov,
       p.ra,
       p.dec,
       CASE WHEN CAST(:flux AS text) = '' THEN p.flux_njy ELSE c.flux_e * 3631e9 / f.flux_mag0_e END AS flux_njy,
       CASE WHEN CAST(:flux AS text) = '' THEN p.flux_njy_err ELSE c.flux_e_err * 3631e9 / f.flux_mag0_e END AS flux_njy_err
  FROM matched AS m
  JOIN source_sky AS p ON p.visit = m.visit AND p.source_id = m.source_id
                      AND p.run_id IN (SELECT c.run_id FROM run_chain(CAST(:run_id AS bigint)) AS c)
                      AND p.task_id IN (SELECT c.task_id FROM calibrated AS c)
  JOIN source AS s ON s.visit = m.visit AND s.source_id = m.source_id
                  AND s.run_id IN (SELECT c.run_id FROM run_chain(CAST(:run_id AS bigint)) AS c)
                  AND s.task_id IN (SELECT d.task_id FROM measured AS d)
  LEFT JOIN LATERAL (VALUES
           ('psf', s.psf_flux_e, s.psf_flux_e_err),
           ('gauss', s.gauss_flux_e, s.gauss_flux_e_err),
           ('kron', s.kron_flux_e, s.kron_flux_e_err),
           ('aper_3_0', s.aper_3_0_flux_e, s.aper_3_0_flux_e_err),
           ('aper_4_5', s.aper_4_5_flux_e, s.aper_4_5_flux_e_err),
           ('aper_6_0', s.aper_6_0_flux_e, s.aper_6_0_flux_e_err),
           ('aper_9_0', s.aper_9_0_flux_e, s.aper_9_0_flux_e_err),
           ('aper_12_0', s.aper_12_0_flux_e, s.aper_12_0_flux_e_err),
           ('aper_17_0', s.aper_17_0_flux_e, s.aper_17_0_flux_e_err),
           ('aper_25_0', s.aper_25_0_flux_e, s.aper_25_0_flux_e_err),
           ('aper_35_0', s.aper_35_0_flux_e, s.aper_35_0_flux_e_err),
           ('aper_50_0', s.aper_50_0_flux_e, s.aper_50_0_flux_e_err),
           ('aper_70_0', s.aper_70_0_flux_e, s.aper_70_0_flux_e_err))
       AS c (name, flux_e, flux_e_err) ON c.name = CAST(:flux AS text)
  LEFT JOIN flux_scale AS f ON f.task_id = p.task_id
 ORDER BY m.star_id, m.visit, m.source_id;
