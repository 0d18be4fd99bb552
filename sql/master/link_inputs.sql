-- Store as inputs of a master those of the masters it was made from.
-- params:  master_id bigint, ccd integer, from_ids bigint[]
-- returns: count
INSERT INTO master_input (master_id, visit, ccd, mean_level, weight)
SELECT :master_id,
       i.visit,
       :ccd,
       max(i.mean_level),
       max(i.weight)
  FROM master_input AS i
 WHERE i.master_id = ANY (CAST(:from_ids AS bigint[]))
 GROUP BY i.visit;
