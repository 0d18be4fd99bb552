-- How the tasks of some units of a stage stand.
-- params:  run_id bigint, stage text, data_ids text[]
-- returns: data_id text, status text, reason text, message text, wall_s double precision
SELECT t.data_id,
       t.status,
       t.reason,
       t.message,
       t.wall_s
  FROM task AS t
 WHERE t.run_id = :run_id
   AND t.stage = :stage
   AND t.data_id = ANY (CAST(:data_ids AS text[]))
 ORDER BY t.task_id;
