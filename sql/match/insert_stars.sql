-- The stars; a part of them is reserved, by the lot of the place: the same in every run and filter.
-- params:  run_id bigint, task_id bigint, tract integer, filter text, reserved_fraction double precision
-- returns: count
-- needs:   match/replace_work
INSERT INTO star (run_id, task_id, star_id, tract, filter, ra, dec, flux_njy, n_visit, is_ambiguous, is_reserved)
SELECT :run_id,
       :task_id,
       n.star_id,
       :tract,
       :filter,
       g.ra,
       g.dec,
       g.flux_njy,
       g.n_visit,
       g.is_ambiguous,
       star_lot(g.x, g.y, g.z) < CAST(:reserved_fraction AS double precision) * 1000
  FROM match_name AS n
  JOIN match_group AS g ON g.star = n.star
 ORDER BY n.star_id;
