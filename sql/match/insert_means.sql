-- New centers in place of those of the pass before: the mean directions of the detections linked in some passes.
-- params:  pass integer, from_pass integer
-- returns: count
-- needs:   match/replace_work
WITH gone AS (
    DELETE FROM match_center
)
INSERT INTO match_center (star, n_epoch, ra, dec, x, y, z)
SELECT m.star,
       m.n_epoch,
       sky_ra(degrees(atan2(m.y, m.x))),
       degrees(atan2(m.z, sqrt(m.x * m.x + m.y * m.y))),
       m.x / m.length,
       m.y / m.length,
       m.z / m.length
  FROM (SELECT s.star, s.n_epoch, s.x, s.y, s.z, sqrt(s.x * s.x + s.y * s.y + s.z * s.z) AS length
          FROM (SELECT l.star,
                       count(*) AS n_epoch,
                       -- the same sum whatever the order of rows: reruns give equal places to the last bit
                       sum(o.x ORDER BY l.epoch) AS x,
                       sum(o.y ORDER BY l.epoch) AS y,
                       sum(o.z ORDER BY l.epoch) AS z
                  FROM match_link AS l
                  JOIN match_observation AS o ON o.number = l.number
                 WHERE l.pass >= CAST(:from_pass AS integer)
                   AND l.pass < CAST(:pass AS integer)
                 GROUP BY l.star) AS s) AS m;
