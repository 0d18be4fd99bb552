-- Whether tasks of a stage were begun under a run's settings.
-- params:  run_id bigint, stage text
-- returns: n_begun bigint, n_done bigint
SELECT count(*) FILTER (WHERE t.n_attempt > 0) AS n_begun,
       count(*) FILTER (WHERE t.status = 'done') AS n_done
  FROM task AS t
 WHERE t.run_id = :run_id
   AND t.stage = :stage;
