-- How far the stages of a run are.
-- params:  run_id bigint
-- returns: stage text, n_todo bigint, n_running bigint, n_done bigint, n_failed bigint, wall_s double precision, cpu_s double precision, peak_mb double precision
SELECT p.stage,
       p.n_todo,
       p.n_running,
       p.n_done,
       p.n_failed,
       round(p.wall_s) AS wall_s,
       round(p.cpu_s) AS cpu_s,
       round(p.peak_mb) AS peak_mb
  FROM progress AS p
 WHERE p.run_id = :run_id
 ORDER BY p.started_at NULLS LAST, p.stage;
