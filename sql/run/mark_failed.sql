-- End a task with a reason.
-- params:  task_id bigint, reason text, message text, wall_s double precision, cpu_s double precision, peak_mb double precision
-- returns: count
UPDATE task
   SET status = 'failed',
       reason = :reason,
       message = :message,
       funnel = NULL,
       finished_at = clock_timestamp(),
       wall_s = :wall_s,
       cpu_s = :cpu_s,
       peak_mb = :peak_mb
 WHERE task_id = :task_id;
