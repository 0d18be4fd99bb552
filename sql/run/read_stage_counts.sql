-- Tasks of a run by stage and state.
-- params:  run_id bigint
-- returns: stage text, status text, n_task bigint, wall_s double precision, peak_mb double precision
SELECT t.stage,
       t.status,
       count(*) AS n_task,
       sum(t.wall_s) AS wall_s,
       max(t.peak_mb) AS peak_mb
  FROM task AS t
 WHERE t.run_id = :run_id
 GROUP BY t.stage, t.status
 ORDER BY t.stage, t.status;
