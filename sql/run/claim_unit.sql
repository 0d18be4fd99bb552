-- Claim the first unit of a list that has work left and is in nobody's hands; is_mine tells whether the lock was got.
-- params:  run_id bigint, stages text[], data_ids text[], statuses text[]
-- returns: data_id text, lock_key bigint, is_mine boolean
WITH held AS MATERIALIZED (
    SELECT (CAST(l.classid AS bigint) << 32) | CAST(l.objid AS bigint) AS lock_key
      FROM pg_locks AS l
     WHERE l.locktype = 'advisory'
       AND l.objsubid = 1
       AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
), picked AS MATERIALIZED (
    SELECT t.data_id,
           hashtextextended(t.run_id || '/' || t.data_id, 0) AS lock_key
      FROM unnest(CAST(:data_ids AS text[])) WITH ORDINALITY AS u (data_id, place)
      JOIN task AS t ON t.data_id = u.data_id
     WHERE t.run_id = :run_id
       AND t.stage = ANY (CAST(:stages AS text[]))
       AND t.status = ANY (CAST(:statuses AS text[]))
       AND hashtextextended(t.run_id || '/' || t.data_id, 0) NOT IN (SELECT h.lock_key FROM held AS h)
     ORDER BY u.place, t.task_id
     LIMIT 1
       FOR UPDATE OF t SKIP LOCKED
)
SELECT p.data_id,
       p.lock_key,
       pg_try_advisory_lock(p.lock_key) AS is_mine
  FROM picked AS p;
