-- Room that each table takes on disk, its partitions included, largest first; rows as last counted by ANALYZE.
-- params:
-- returns: table_name text, n_partition bigint, n_row double precision, table_mb double precision, index_mb double precision, total_mb double precision
SELECT CAST(parent.relname AS text)                                                       AS table_name,
       count(*) FILTER (WHERE leaf.oid <> parent.oid)                                     AS n_partition,
       CAST(sum(greatest(leaf.reltuples, 0)) AS double precision)                         AS n_row,
       CAST(sum(pg_table_size(leaf.oid)) / 1e6 AS double precision)                       AS table_mb,
       CAST(sum(pg_indexes_size(leaf.oid)) / 1e6 AS double precision)                     AS index_mb,
       CAST(sum(pg_total_relation_size(leaf.oid)) / 1e6 AS double precision)              AS total_mb
  FROM pg_class AS parent
  LEFT JOIN LATERAL pg_partition_tree(parent.oid) AS t ON parent.relkind = 'p'
  JOIN pg_class AS leaf ON leaf.oid = COALESCE(t.relid, parent.oid) AND leaf.relkind = 'r' OR leaf.oid = parent.oid AND leaf.relkind = 'p' AND t.relid = parent.oid
 WHERE parent.relkind IN ('r', 'p')
   AND NOT parent.relispartition
   AND parent.relnamespace = CAST(current_schema() AS regnamespace)
 GROUP BY parent.relname
 ORDER BY total_mb DESC, table_name;
