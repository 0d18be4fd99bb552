-- Products a task has written.
-- params:  task_id bigint
-- returns: product_id bigint, dataset text, path text, is_swept boolean
SELECT p.product_id,
       p.dataset,
       p.path,
       p.swept_at IS NOT NULL AS is_swept
  FROM product AS p
 WHERE p.task_id = :task_id
 ORDER BY p.product_id;
