-- All frames of the visits that touch a tract in one filter, with their first calibration, seeing, and the tasks that
-- wrote their calibration (sky) and their sources: detect, or of ingested catalogs the calibration itself.
-- params:  run_id bigint, tract integer, filter text
-- returns: visit bigint, ccd integer, is_corner_inside boolean, obs_mjd double precision, visit_ra double precision, visit_dec double precision, exposure_s double precision, ra double precision, dec double precision, flux_mag0_e double precision, pointing integer, corner_ra double precision[], corner_dec double precision[], seeing_arcsec double precision, sky_run_id bigint, sky_task_id bigint, source_run_id bigint, source_task_id bigint
SELECT t.visit,
       t.ccd,
       COALESCE(bool_or(ft.is_corner_inside), false) AS is_corner_inside,
       max(v.obs_mjd) AS obs_mjd,
       max(v.ra) AS visit_ra,
       max(v.dec) AS visit_dec,
       max(v.exposure_s) AS exposure_s,
       max(w.ra) AS ra,
       max(w.dec) AS dec,
       max(s.flux_mag0_e) AS flux_mag0_e,
       COALESCE(max(v.pointing), 0) AS pointing,
       CAST(max(w.corner_ra) AS double precision[]) AS corner_ra,
       CAST(max(w.corner_dec) AS double precision[]) AS corner_dec,
       max(q.seeing_arcsec) AS seeing_arcsec,
       max(t.run_id) AS sky_run_id,
       max(t.task_id) AS sky_task_id,
       COALESCE(max(d.run_id), max(t.run_id)) AS source_run_id,
       COALESCE(max(d.task_id), max(t.task_id)) AS source_task_id
  FROM done_task(CAST(:run_id AS bigint), 'skymap') AS k
  JOIN frame_tract AS ft ON ft.task_id = k.task_id AND ft.tract = CAST(:tract AS integer)
  JOIN visit AS v ON v.visit = ft.visit AND v.filter = CAST(:filter AS text)
  JOIN done_task(CAST(:run_id AS bigint), 'calibrate') AS t ON t.visit = ft.visit AND t.ccd = ft.ccd
  JOIN wcs_solution AS w ON w.task_id = t.task_id
  LEFT JOIN flux_scale AS s ON s.task_id = t.task_id
  LEFT JOIN done_task(CAST(:run_id AS bigint), 'detect') AS d ON d.visit = t.visit AND d.ccd = t.ccd
  LEFT JOIN frame_quality AS q ON q.task_id = d.task_id
 GROUP BY t.visit, t.ccd
 ORDER BY t.visit, t.ccd;
