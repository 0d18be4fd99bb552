-- All runs with their number of tasks by state.
-- params:  none
-- returns: run_id bigint, name text, parent text, created_at timestamptz, code_version text, settings_sha256 text, n_done bigint, n_open bigint, n_failed bigint
SELECT r.run_id,
       r.name,
       p.name AS parent,
       r.created_at,
       r.code_version,
       r.settings_sha256,
       count(t.task_id) FILTER (WHERE t.status = 'done') AS n_done,
       count(t.task_id) FILTER (WHERE t.status IN ('todo', 'running')) AS n_open,
       count(t.task_id) FILTER (WHERE t.status = 'failed') AS n_failed
  FROM run AS r
  LEFT JOIN run AS p ON p.run_id = r.parent_run_id
  LEFT JOIN task AS t ON t.run_id = r.run_id
 GROUP BY r.run_id, p.name
 ORDER BY r.run_id;
