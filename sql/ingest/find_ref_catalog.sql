-- The reference catalog of a name, locked against a second ingest into it at the same time.
-- params:  name text
-- returns: ref_catalog_id integer
SELECT c.ref_catalog_id
  FROM ref_catalog AS c
 WHERE c.name = :name
   FOR UPDATE;
