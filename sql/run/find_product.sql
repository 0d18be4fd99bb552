-- The newest product of a dataset in the chain of runs; within a run swept ones come last.
-- params:  run_id bigint, dataset text, visit bigint, ccd integer, tract integer, filter text
-- returns: product_id bigint, run_id bigint, task_id bigint, stage text, path text, is_swept boolean
SELECT p.product_id,
       p.run_id,
       p.task_id,
       t.stage,
       p.path,
       p.swept_at IS NOT NULL AS is_swept
  FROM run_chain(:run_id) AS c
  JOIN product AS p ON p.run_id = c.run_id
  JOIN task AS t ON t.task_id = p.task_id
 WHERE p.dataset = :dataset
   AND (CAST(:visit AS bigint)  IS NULL OR p.visit  = :visit)
   AND (CAST(:ccd AS integer)   IS NULL OR p.ccd    = :ccd)
   AND (CAST(:tract AS integer) IS NULL OR p.tract  = :tract)
   AND (CAST(:filter AS text)   IS NULL OR p.filter = :filter)
 ORDER BY c.depth, p.swept_at IS NOT NULL, p.product_id DESC
 LIMIT 1;
