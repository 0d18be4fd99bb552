-- Give each center of a pass the nearest detection of each epoch, if no other center is nearer to that detection.
-- Detections linked in the passes from :taken_from on, before this one, are not free any more.
-- params:  pass integer, taken_from integer, chord double precision, side double precision
-- returns: count
-- needs:   match/replace_work
WITH corner AS MATERIALIZED (
    SELECT c.star, c.x, c.y, c.z,
           match_cell(c.x - :chord, c.y - :chord, c.z - :chord, CAST(:side AS double precision))
           + (CAST(o.i AS bigint) << 42) + (CAST(o.j AS bigint) << 21) + o.k AS cell
      FROM match_center AS c
     CROSS JOIN (VALUES (0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1), (1, 0, 0), (1, 0, 1), (1, 1, 0), (1, 1, 1)) AS o (i, j, k)
     WHERE c.pass = CAST(:pass AS integer)
       AND (o.i = 0 OR floor((c.x + :chord + 1) / :side) > floor((c.x - :chord + 1) / :side))
       AND (o.j = 0 OR floor((c.y + :chord + 1) / :side) > floor((c.y - :chord + 1) / :side))
       AND (o.k = 0 OR floor((c.z + :chord + 1) / :side) > floor((c.z - :chord + 1) / :side))
), nearest AS MATERIALIZED (
    -- each detection's own nearest center first: then few rows are left to choose from per center and epoch
    SELECT DISTINCT ON (f.number)
           f.number, f.epoch, c.star, n.chord2
      FROM corner AS c
      JOIN match_observation AS f ON f.cell = c.cell
     CROSS JOIN LATERAL (SELECT (f.x - c.x) * (f.x - c.x) + (f.y - c.y) * (f.y - c.y) + (f.z - c.z) * (f.z - c.z) AS chord2) AS n
     WHERE n.chord2 <= :chord * CAST(:chord AS double precision)
       AND NOT EXISTS (SELECT 1
                         FROM match_link AS l
                        WHERE l.number = f.number
                          AND l.pass >= CAST(:taken_from AS integer)
                          AND l.pass < CAST(:pass AS integer))
     ORDER BY f.number, n.chord2, c.star
)
INSERT INTO match_link (pass, star, epoch, number, chord2)
SELECT DISTINCT ON (n.star, n.epoch)
       :pass, n.star, n.epoch, n.number, n.chord2
  FROM nearest AS n
 ORDER BY n.star, n.epoch, n.chord2, n.number;
