-- The groups that become stars, seen often enough or known as a reference star, numbered from 1 by their place on the sky.
-- params:  n_observation_min integer
-- returns: count
-- needs:   match/replace_work
INSERT INTO match_name (star, star_id)
SELECT g.star,
       row_number() OVER (ORDER BY sky_zone(g.dec), g.ra, g.star)
  FROM match_group AS g
 WHERE g.n_observation >= CAST(:n_observation_min AS integer)
    OR EXISTS (SELECT 1 FROM match_ref AS r WHERE r.star = g.star);
