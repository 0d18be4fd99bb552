-- Units with work left in any of some stages of a run, and whether a worker is at them now.
-- params:  run_id bigint, stages text[], data_ids text[]
-- returns: data_id text, is_held boolean
WITH held AS MATERIALIZED (
    SELECT (CAST(l.classid AS bigint) << 32) | CAST(l.objid AS bigint) AS lock_key
      FROM pg_locks AS l
     WHERE l.locktype = 'advisory'
       AND l.objsubid = 1
       AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
)
SELECT DISTINCT
       t.data_id,
       hashtextextended(t.run_id || '/' || t.data_id, 0) IN (SELECT h.lock_key FROM held AS h) AS is_held
  FROM task AS t
 WHERE t.run_id = :run_id
   AND t.stage = ANY (CAST(:stages AS text[]))
   AND t.data_id = ANY (CAST(:data_ids AS text[]))
   AND t.status IN ('todo', 'running')
 ORDER BY t.data_id;
