-- Put a task back among those to be done.
-- params:  task_id bigint
-- returns: count
UPDATE task
   SET status = 'todo',
       reason = NULL,
       message = NULL
 WHERE task_id = :task_id;
