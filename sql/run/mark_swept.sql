-- Note that a product's file was removed on purpose.
-- params:  product_id bigint
-- returns: count
UPDATE product SET swept_at = now() WHERE product_id = :product_id;
