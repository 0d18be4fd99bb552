-- Units with work left in any of some stages of a run.
-- params:  run_id bigint, stages text[], data_ids text[]
-- returns: data_id text
SELECT DISTINCT t.data_id
  FROM task AS t
 WHERE t.run_id = :run_id
   AND t.stage = ANY (CAST(:stages AS text[]))
   AND t.data_id = ANY (CAST(:data_ids AS text[]))
   AND t.status IN ('todo', 'running')
 ORDER BY t.data_id;
