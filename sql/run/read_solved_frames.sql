-- Frames with a joint solution in the chain of runs, by tract: the units of apply.
-- params:  run_id bigint, ids jsonb, where_visits bigint[], where_ccds integer[]
-- returns: tract integer, visit bigint, ccd integer, filter text, field text, pointing integer, night date, exposure_s double precision, finished_at timestamptz
SELECT DISTINCT w.tract,
       w.visit,
       w.ccd,
       v.filter,
       v.field,
       COALESCE(v.pointing, 0) AS pointing,
       v.night,
       v.exposure_s,
       t.finished_at
  FROM done_task(:run_id, 'mosaic') AS m
  JOIN task AS t ON t.task_id = m.task_id
  JOIN wcs_solution AS w ON w.task_id = m.task_id AND w.stage = 'mosaic'
  JOIN visit AS v ON v.visit = w.visit
  JOIN selected_frame(CAST(:ids AS jsonb), CAST(:where_visits AS bigint[]), CAST(:where_ccds AS integer[])) AS s
    ON s.visit = w.visit AND s.ccd = w.ccd AND in_ranges(s.id -> 'tract', w.tract)
 ORDER BY w.tract, w.visit, w.ccd;
