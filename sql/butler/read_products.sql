-- The products of a dataset that a run sees, the nearest in its chain of each kind; any id may be left open.
-- params:  run_id bigint, dataset text, visit bigint, ccd integer, tract integer, filter text
-- returns: visit bigint, ccd integer, tract integer, filter text, path text, stage text, is_swept boolean
SELECT DISTINCT ON (p.visit, p.ccd, p.tract, v.filter)
       COALESCE(p.visit, -1) AS visit,
       COALESCE(p.ccd, -1) AS ccd,
       COALESCE(p.tract, -1) AS tract,
       COALESCE(p.filter, v.filter) AS filter,
       p.path,
       t.stage,
       p.swept_at IS NOT NULL AS is_swept
  FROM run_chain(:run_id) AS c
  JOIN product AS p ON p.run_id = c.run_id
  JOIN task AS t ON t.task_id = p.task_id
  LEFT JOIN visit AS v ON v.visit = p.visit
 WHERE p.dataset = :dataset
   AND (CAST(:visit AS bigint)  IS NULL OR p.visit  = :visit)
   AND (CAST(:ccd AS integer)   IS NULL OR p.ccd    = :ccd)
   AND (CAST(:tract AS integer) IS NULL OR p.tract  = :tract)
   AND (CAST(:filter AS text)   IS NULL OR COALESCE(p.filter, v.filter) = :filter)
 ORDER BY p.visit, p.ccd, p.tract, v.filter, p.swept_at IS NOT NULL, c.depth, p.product_id DESC;
