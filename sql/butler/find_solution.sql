-- The task of the joint solution of a tract and filter that a run itself has made.
-- params:  run_id bigint, tract integer, filter text
-- returns: task_id bigint
SELECT t.task_id
  FROM task AS t
 WHERE t.run_id = :run_id
   AND t.stage = 'mosaic'
   AND t.status = 'done'
   AND t.tract = :tract
   AND t.filter = :filter;
