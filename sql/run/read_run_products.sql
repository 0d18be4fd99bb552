-- Files of a run's products.
-- params:  run_id bigint
-- returns: path text
SELECT p.path
  FROM product AS p
 WHERE p.run_id = :run_id
   AND p.swept_at IS NULL
 ORDER BY p.path;
