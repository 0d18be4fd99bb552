-- The reference stars that stars are.
-- params:  run_id bigint, task_id bigint
-- returns: count
-- needs:   match/replace_work
INSERT INTO star_ref (run_id, task_id, star_id, ref_catalog_id, ref_id, sep_mas, epoch_mjd, ra, dec)
SELECT :run_id,
       :task_id,
       n.star_id,
       r.ref_catalog_id,
       r.ref_id,
       degrees(2 * asin(least(1, sqrt(r.chord2) / 2))) * 3600000,
       r.epoch_mjd,
       r.ra,
       r.dec
  FROM match_name AS n
  JOIN match_ref AS r ON r.star = n.star
 ORDER BY n.star_id, r.ref_catalog_id;
