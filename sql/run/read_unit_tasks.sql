-- The tasks of a unit in some stages of a run.
-- params:  run_id bigint, stages text[], data_id text
-- returns: task_id bigint, stage text, status text, n_attempt integer, reason text, message text
SELECT t.task_id,
       t.stage,
       t.status,
       t.n_attempt,
       t.reason,
       t.message
  FROM task AS t
 WHERE t.run_id = :run_id
   AND t.stage = ANY (CAST(:stages AS text[]))
   AND t.data_id = :data_id
 ORDER BY t.task_id;
