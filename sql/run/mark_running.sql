-- Begin a task.
-- params:  task_id bigint, worker text
-- returns: n_attempt integer
UPDATE task
   SET status = 'running',
       n_attempt = n_attempt + 1,
       worker = :worker,
       reason = NULL,
       message = NULL,
       funnel = NULL,
       started_at = clock_timestamp(),
       finished_at = NULL
 WHERE task_id = :task_id
RETURNING n_attempt;
