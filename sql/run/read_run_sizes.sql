-- Rows and files of each run: what `hscdb rerun delete` would free.
-- params:
-- returns: run_name text, source_mb double precision, n_product bigint, product_mb double precision
SELECT r.name                                                                             AS run_name,
       COALESCE((SELECT CAST(sum(pg_total_relation_size(t.relid)) / 1e6 AS double precision)
                   FROM pg_class AS parent
                   JOIN pg_inherits AS i ON i.inhparent = parent.oid
                   JOIN pg_class AS child ON child.oid = i.inhrelid
                  CROSS JOIN LATERAL pg_partition_tree(child.oid) AS t
                  WHERE parent.relkind = 'p' AND NOT parent.relispartition
                    AND parent.relnamespace = CAST(current_schema() AS regnamespace)
                    AND pg_get_expr(child.relpartbound, child.oid) = format('FOR VALUES IN (%L)', CAST(r.run_id AS text))), 0) AS source_mb,
       (SELECT count(*) FROM product AS p WHERE p.run_id = r.run_id AND p.swept_at IS NULL) AS n_product,
       COALESCE((SELECT CAST(sum(p.n_byte) / 1e6 AS double precision)
                   FROM product AS p WHERE p.run_id = r.run_id AND p.swept_at IS NULL), 0) AS product_mb
  FROM run AS r
 ORDER BY r.run_id;
