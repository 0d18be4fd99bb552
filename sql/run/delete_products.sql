-- Forget products.
-- params:  product_ids bigint[]
-- returns: count
DELETE FROM product WHERE product_id = ANY (CAST(:product_ids AS bigint[]));
