-- The rows that came from a file into a reference catalog before.
-- params:  ref_catalog_id integer, sha256 text
-- returns: n_row bigint, n_stored bigint
SELECT f.n_row,
       f.n_stored
  FROM ref_file AS f
 WHERE f.ref_catalog_id = :ref_catalog_id
   AND f.sha256 = :sha256;
