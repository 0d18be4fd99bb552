-- Seeds of the detections that no earlier pass has taken: in each small cube the clearest detection, where no other cube
-- within the radius was seen in more epochs. Which is chosen depends on the places only, never on the order of rows.
-- They replace the centers of the pass before.
-- params:  pass integer, chord double precision, fine_side double precision, side double precision
-- returns: count
-- needs:   match/replace_work
WITH free AS MATERIALIZED (
    SELECT o.number, o.epoch, o.ra, o.dec, o.x, o.y, o.z, o.cell, o.snr, match_cell(o.x, o.y, o.z, CAST(:fine_side AS double precision)) AS fine
      FROM match_observation AS o
     WHERE NOT EXISTS (SELECT 1 FROM match_link AS l WHERE l.number = o.number AND l.pass < CAST(:pass AS integer))
), counted AS MATERIALIZED (
    SELECT f.fine, count(DISTINCT f.epoch) AS n_epoch FROM free AS f GROUP BY f.fine
), best AS MATERIALIZED (
    SELECT DISTINCT ON (f.fine)
           f.number, f.ra, f.dec, f.x, f.y, f.z, f.cell, f.snr, c.n_epoch
      FROM free AS f
      JOIN counted AS c ON c.fine = f.fine
     ORDER BY f.fine, f.snr DESC, f.number
), beaten AS MATERIALIZED (
    SELECT DISTINCT a.number
      FROM best AS a
     CROSS JOIN (VALUES (0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1), (1, 0, 0), (1, 0, 1), (1, 1, 0), (1, 1, 1)) AS o (i, j, k)
      JOIN best AS b
        ON b.cell = match_cell(a.x - :chord, a.y - :chord, a.z - :chord, CAST(:side AS double precision))
                  + (CAST(o.i AS bigint) << 42) + (CAST(o.j AS bigint) << 21) + o.k
     WHERE (b.n_epoch, b.snr, b.x, b.y, b.z, -b.number) > (a.n_epoch, a.snr, a.x, a.y, a.z, -a.number)
       AND (a.x - b.x) * (a.x - b.x) + (a.y - b.y) * (a.y - b.y) + (a.z - b.z) * (a.z - b.z)
           <= :chord * CAST(:chord AS double precision)
       AND (o.i = 0 OR floor((a.x + :chord + 1) / :side) > floor((a.x - :chord + 1) / :side))
       AND (o.j = 0 OR floor((a.y + :chord + 1) / :side) > floor((a.y - :chord + 1) / :side))
       AND (o.k = 0 OR floor((a.z + :chord + 1) / :side) > floor((a.z - :chord + 1) / :side))
), gone AS (
    DELETE FROM match_center
)
INSERT INTO match_center (star, n_epoch, ra, dec, x, y, z)
SELECT b.number, b.n_epoch, b.ra, b.dec, b.x, b.y, b.z
  FROM best AS b
 WHERE NOT EXISTS (SELECT 1 FROM beaten AS w WHERE w.number = b.number);
