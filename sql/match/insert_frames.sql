-- The calibrated frames of a tract and filter, with the tasks that hold their sources; visits NULL: all, else those chosen.
-- params:  run_id bigint, tract integer, filter text, visits bigint[], ccds integer[]
-- returns: count
-- needs:   match/replace_work
INSERT INTO match_frame (visit, ccd, obs_mjd, sky_task_id, sky_run_id, source_task_id, source_run_id)
SELECT DISTINCT
       c.visit,
       c.ccd,
       v.obs_mjd,
       c.task_id,
       c.run_id,
       -- sources of images were written by detect, those of ingested catalogs together with their calibration
       COALESCE(d.task_id, c.task_id),
       COALESCE(d.run_id, c.run_id)
  FROM done_task(CAST(:run_id AS bigint), 'skymap') AS m
  JOIN frame_tract AS l ON l.task_id = m.task_id AND l.tract = CAST(:tract AS integer)
  JOIN done_task(CAST(:run_id AS bigint), 'calibrate') AS c ON c.visit = l.visit AND c.ccd = l.ccd
  JOIN visit AS v ON v.visit = c.visit AND v.filter = CAST(:filter AS text)
  LEFT JOIN done_task(CAST(:run_id AS bigint), 'detect') AS d ON d.visit = c.visit AND d.ccd = c.ccd
 WHERE CAST(:visits AS bigint[]) IS NULL
    OR (c.visit, c.ccd) IN (SELECT s.visit, s.ccd
                              FROM unnest(CAST(:visits AS bigint[]), CAST(:ccds AS integer[])) AS s (visit, ccd));
