-- Fail the tasks of a killed worker that nobody has taken over.
-- params:  run_id bigint, stages text[], worker text, message text
-- returns: data_id text, stage text
UPDATE task
   SET status = 'failed',
       reason = 'worker_killed',
       message = :message,
       finished_at = clock_timestamp()
 WHERE run_id = :run_id
   AND stage = ANY (CAST(:stages AS text[]))
   AND worker = :worker
   AND status = 'running'
RETURNING data_id, stage;
