-- Tasks a worker was at, and whether their unit is still held.
-- params:  run_id bigint, stages text[], worker text
-- returns: task_id bigint, stage text, data_id text, is_held boolean
SELECT t.task_id,
       t.stage,
       t.data_id,
       EXISTS (SELECT 1
                 FROM pg_locks AS l
                WHERE l.locktype = 'advisory'
                  AND l.objsubid = 1
                  AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
                  AND ((CAST(l.classid AS bigint) << 32) | CAST(l.objid AS bigint))
                      = hashtextextended(t.run_id || '/' || t.data_id, 0)) AS is_held
  FROM task AS t
 WHERE t.run_id = :run_id
   AND t.stage = ANY (CAST(:stages AS text[]))
   AND t.worker = :worker
   AND t.status = 'running'
 ORDER BY t.task_id;
