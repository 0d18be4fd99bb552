-- Why the joint solution of a tract has left a visit out.
-- params:  run_id bigint, tract integer, visit bigint
-- returns: why text
SELECT s.model -> 'left_out_visits' ->> CAST(CAST(:visit AS bigint) AS text) AS why
  FROM done_task(CAST(:run_id AS bigint), 'mosaic') AS t
  JOIN mosaic_solution AS s ON s.task_id = t.task_id
 WHERE t.tract = CAST(:tract AS integer)
   AND s.model -> 'left_out_visits' ->> CAST(CAST(:visit AS bigint) AS text) IS NOT NULL
 ORDER BY s.task_id
 LIMIT 1;
