-- Open the later frame tasks of a frame again, in this run and in those built on it, because an earlier one was redone.
-- params:  run_id bigint, stages text[], data_id text
-- returns: count
WITH RECURSIVE heir AS (
    SELECT r.run_id FROM run AS r WHERE r.run_id = :run_id
     UNION
    SELECT r.run_id FROM run AS r JOIN heir AS h ON r.parent_run_id = h.run_id
)
UPDATE task AS t
   SET status = 'todo'
  FROM heir AS h
 WHERE t.run_id = h.run_id
   AND t.stage = ANY (CAST(:stages AS text[]))
   AND t.data_id = :data_id
   AND t.status = 'done';
