-- End a task well.
-- params:  task_id bigint, funnel jsonb, wall_s double precision, cpu_s double precision, peak_mb double precision
-- returns: count
UPDATE task
   SET status = 'done',
       reason = NULL,
       message = NULL,
       funnel = :funnel,
       finished_at = clock_timestamp(),
       wall_s = :wall_s,
       cpu_s = :cpu_s,
       peak_mb = :peak_mb
 WHERE task_id = :task_id;
