-- The reference catalogs there are.
-- params:  none
-- returns: ref_catalog_id integer, name text, preset text, bands text[]
SELECT c.ref_catalog_id,
       c.name,
       c.preset,
       c.bands
  FROM ref_catalog AS c
 ORDER BY c.name;
