-- Failed tasks of a run.
-- params:  run_id bigint, stages text[]
-- returns: stage text, data_id text, reason text, message text, finished_at timestamptz
SELECT t.stage,
       t.data_id,
       t.reason,
       t.message,
       t.finished_at
  FROM task AS t
 WHERE t.run_id = :run_id
   AND t.status = 'failed'
   AND (CAST(:stages AS text[]) IS NULL OR t.stage = ANY (CAST(:stages AS text[])))
 ORDER BY t.stage, t.task_id;
