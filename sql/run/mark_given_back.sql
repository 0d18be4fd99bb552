-- Put a task that was begun back among those to be done; one that is done stays so.
-- params:  task_id bigint
-- returns: count
UPDATE task
   SET status = 'todo',
       reason = NULL,
       message = NULL
 WHERE task_id = :task_id
   AND status = 'running';
