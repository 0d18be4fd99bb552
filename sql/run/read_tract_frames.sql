-- Calibrated frames of the tracts and filters that a selection touches, and which of them are selected.
-- params:  run_id bigint, ids jsonb, where_visits bigint[], where_ccds integer[]
-- returns: tract integer, filter text, visit bigint, ccd integer, is_selected boolean, finished_at timestamptz
WITH calibrated AS MATERIALIZED (
    SELECT DISTINCT l.tract, v.filter, l.visit, l.ccd, t.finished_at
      FROM done_task(:run_id, 'skymap') AS m
      JOIN frame_tract AS l ON l.task_id = m.task_id
      JOIN done_task(:run_id, 'calibrate') AS c ON c.visit = l.visit AND c.ccd = l.ccd
      JOIN task AS t ON t.task_id = c.task_id
      JOIN visit AS v ON v.visit = l.visit
     WHERE v.filter IS NOT NULL
), asked AS MATERIALIZED (
    SELECT s.visit, s.ccd, s.id -> 'tract' AS tracts
      FROM selected_frame(CAST(:ids AS jsonb), CAST(:where_visits AS bigint[]), CAST(:where_ccds AS integer[])) AS s
), marked AS (
    SELECT c.tract, c.filter, c.visit, c.ccd, c.finished_at,
           EXISTS (SELECT 1
                     FROM asked AS a
                    WHERE a.visit = c.visit AND a.ccd = c.ccd AND in_ranges(a.tracts, c.tract)) AS is_selected
      FROM calibrated AS c
)
SELECT m.tract,
       m.filter,
       m.visit,
       m.ccd,
       m.is_selected,
       m.finished_at
  FROM marked AS m
 WHERE EXISTS (SELECT 1 FROM marked AS o WHERE o.tract = m.tract AND o.filter = m.filter AND o.is_selected)
 ORDER BY m.tract, m.filter, m.visit, m.ccd;
