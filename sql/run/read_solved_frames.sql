-- Frames that a joint solution in the chain of runs has solved or left out, by tract: the units of apply.
-- params:  run_id bigint, ids jsonb, where_visits bigint[], where_ccds integer[]
-- returns: tract integer, visit bigint, ccd integer, filter text, field text, pointing integer, night date, exposure_s double precision, finished_at timestamptz
WITH joint AS (
    SELECT w.tract, w.visit, w.ccd, m.task_id
      FROM done_task(:run_id, 'mosaic') AS m
      JOIN wcs_solution AS w ON w.task_id = m.task_id AND w.stage = 'mosaic'
     UNION
    -- of visits that took no part: apply says of each frame why it has no solution
    SELECT s.tract, l.visit, l.ccd, m.task_id
      FROM done_task(:run_id, 'mosaic') AS m
      JOIN mosaic_solution AS s ON s.task_id = m.task_id
     CROSS JOIN LATERAL jsonb_object_keys(s.model -> 'left_out_visits') AS o (visit)
      JOIN done_task(:run_id, 'skymap') AS k ON true
      JOIN frame_tract AS l ON l.task_id = k.task_id AND l.tract = s.tract AND l.visit = CAST(o.visit AS bigint)
      JOIN done_task(:run_id, 'calibrate') AS c ON c.visit = l.visit AND c.ccd = l.ccd
)
SELECT DISTINCT w.tract,
       w.visit,
       w.ccd,
       v.filter,
       v.field,
       COALESCE(v.pointing, 0) AS pointing,
       v.night,
       v.exposure_s,
       t.finished_at
  FROM joint AS w
  JOIN task AS t ON t.task_id = w.task_id
  JOIN visit AS v ON v.visit = w.visit
  JOIN selected_frame(CAST(:ids AS jsonb), CAST(:where_visits AS bigint[]), CAST(:where_ccds AS integer[])) AS s
    ON s.visit = w.visit AND s.ccd = w.ccd AND in_ranges(s.id -> 'tract', w.tract)
 ORDER BY w.tract, w.visit, w.ccd;
