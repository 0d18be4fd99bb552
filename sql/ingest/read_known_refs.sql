-- Which of some identifiers a reference catalog has already.
-- params:  ref_catalog_id integer, ref_ids bigint[]
-- returns: ref_id bigint
SELECT s.ref_id
  FROM ref_star AS s
 WHERE s.ref_catalog_id = :ref_catalog_id
   AND s.ref_id = ANY (:ref_ids)
 ORDER BY s.ref_id;
