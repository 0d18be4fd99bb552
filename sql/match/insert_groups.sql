-- The groups of the last pass: mean place, median flux, mean time, and whether strange detections lie within the radius.
-- A stray one in many visits (noise, a cosmic ray, an asteroid) is no neighbor: one is seen again and again.
-- params:  pass integer, chord double precision, side double precision, ambiguous_fraction double precision
-- returns: count
-- needs:   match/replace_work
WITH member AS MATERIALIZED (
    SELECT l.star, l.epoch, o.visit, o.x, o.y, o.z, o.flux_njy, o.obs_mjd
      FROM match_link AS l
      JOIN match_observation AS o ON o.number = l.number
     WHERE l.pass = CAST(:pass AS integer)
), summed AS MATERIALIZED (
    SELECT m.star,
           sum(m.x ORDER BY m.epoch) AS x,
           sum(m.y ORDER BY m.epoch) AS y,
           sum(m.z ORDER BY m.epoch) AS z,
           avg(m.obs_mjd ORDER BY m.epoch) AS obs_mjd,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY m.flux_njy) AS flux_njy,
           count(*) AS n_observation,
           count(DISTINCT m.visit) AS n_visit
      FROM member AS m
     GROUP BY m.star
), placed AS MATERIALIZED (
    SELECT s.*, s.x / n.length AS ux, s.y / n.length AS uy, s.z / n.length AS uz
      FROM summed AS s
     CROSS JOIN LATERAL (SELECT sqrt(s.x * s.x + s.y * s.y + s.z * s.z) AS length) AS n
), near AS MATERIALIZED (
    SELECT p.star, count(*) AS n_near
      FROM placed AS p
     CROSS JOIN (VALUES (0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1), (1, 0, 0), (1, 0, 1), (1, 1, 0), (1, 1, 1)) AS o (i, j, k)
      JOIN match_observation AS b
        ON b.cell = match_cell(p.ux - :chord, p.uy - :chord, p.uz - :chord, CAST(:side AS double precision))
                  + (CAST(o.i AS bigint) << 42) + (CAST(o.j AS bigint) << 21) + o.k
     WHERE (p.ux - b.x) * (p.ux - b.x) + (p.uy - b.y) * (p.uy - b.y) + (p.uz - b.z) * (p.uz - b.z)
           <= :chord * CAST(:chord AS double precision)
       AND (o.i = 0 OR floor((p.ux + :chord + 1) / :side) > floor((p.ux - :chord + 1) / :side))
       AND (o.j = 0 OR floor((p.uy + :chord + 1) / :side) > floor((p.uy - :chord + 1) / :side))
       AND (o.k = 0 OR floor((p.uz + :chord + 1) / :side) > floor((p.uz - :chord + 1) / :side))
     GROUP BY p.star
), own AS MATERIALIZED (
    -- a member that the last centering has moved out of the radius must not make up for a stranger
    SELECT m.star, count(*) AS n_own
      FROM member AS m
      JOIN placed AS p ON p.star = m.star
     WHERE (p.ux - m.x) * (p.ux - m.x) + (p.uy - m.y) * (p.uy - m.y) + (p.uz - m.z) * (p.uz - m.z)
           <= :chord * CAST(:chord AS double precision)
     GROUP BY m.star
)
INSERT INTO match_group (star, ra, dec, x, y, z, obs_mjd, flux_njy, n_observation, n_visit, is_ambiguous)
SELECT p.star,
       -- a tiny negative angle plus 360 is 360 in floating point, which is 0 on the sky
       CASE WHEN a.ra < 0 AND a.ra + 360 < 360 THEN a.ra + 360 WHEN a.ra < 0 THEN 0 ELSE a.ra END,
       degrees(atan2(p.uz, sqrt(p.ux * p.ux + p.uy * p.uy))),
       p.ux, p.uy, p.uz,
       p.obs_mjd,
       p.flux_njy,
       p.n_observation,
       p.n_visit,
       COALESCE(n.n_near, 0) - COALESCE(w.n_own, 0) > CAST(:ambiguous_fraction AS double precision) * p.n_observation
  FROM placed AS p
 CROSS JOIN LATERAL (SELECT degrees(atan2(p.uy, p.ux)) AS ra) AS a
  LEFT JOIN near AS n ON n.star = p.star
  LEFT JOIN own AS w ON w.star = p.star;
