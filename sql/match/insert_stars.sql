-- The stars; every tenth is reserved, by a hash of the 5-arcsec cube of space it lies in: the same in every run and filter.
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
       mod(h.hashed, 1000) < CAST(:reserved_fraction AS double precision) * 1000
  FROM match_name AS n
  JOIN match_group AS g ON g.star = n.star
 CROSS JOIN LATERAL (SELECT hashint8extended(match_cell(g.x, g.y, g.z, 2.424e-5::float8), 0) & 9223372036854775807 AS hashed) AS h
 ORDER BY n.star_id;
