-- Add what a file brought to the totals of a reference catalog.
-- params:  ref_catalog_id integer, n_stored bigint, bands text[]
-- returns: count
UPDATE ref_catalog AS c
   SET n_star = c.n_star + :n_stored,
       bands = ARRAY(SELECT DISTINCT b.band
                       FROM unnest(c.bands || :bands) AS b (band)
                      ORDER BY b.band),
       ingested_at = now()
 WHERE c.ref_catalog_id = :ref_catalog_id;
