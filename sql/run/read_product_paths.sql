-- Every product's file that should exist.
-- params:  none
-- returns: product_id bigint, path text, n_byte bigint
SELECT p.product_id,
       p.path,
       p.n_byte
  FROM product AS p
 WHERE p.swept_at IS NULL
 ORDER BY p.product_id;
