-- Leave out centers that are the shadow of a richer one: within :shadow_chord of it, or a single detection within the radius.
-- They are made of what a star's own visits hold too much, and would take its detections away from it.
-- params:  chord double precision, shadow_chord double precision, side double precision
-- returns: count
-- needs:   match/replace_work
WITH center AS MATERIALIZED (
    SELECT c.star, c.n_epoch, c.x, c.y, c.z, match_cell(c.x, c.y, c.z, CAST(:side AS double precision)) AS cell
      FROM match_center AS c
), shadow AS MATERIALIZED (
    SELECT DISTINCT a.star
      FROM center AS a
     CROSS JOIN (VALUES (0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1), (1, 0, 0), (1, 0, 1), (1, 1, 0), (1, 1, 1)) AS o (i, j, k)
      JOIN center AS b
        ON b.cell = match_cell(a.x - :chord, a.y - :chord, a.z - :chord, CAST(:side AS double precision))
                  + (CAST(o.i AS bigint) << 42) + (CAST(o.j AS bigint) << 21) + o.k
     WHERE (b.n_epoch, b.x, b.y, b.z, -b.star) > (a.n_epoch, a.x, a.y, a.z, -a.star)
       AND (a.x - b.x) * (a.x - b.x) + (a.y - b.y) * (a.y - b.y) + (a.z - b.z) * (a.z - b.z)
           <= CASE WHEN a.n_epoch = 1 AND b.n_epoch > 1 THEN :chord * CAST(:chord AS double precision)
                   ELSE :shadow_chord * CAST(:shadow_chord AS double precision) END
       AND (o.i = 0 OR floor((a.x + :chord + 1) / :side) > floor((a.x - :chord + 1) / :side))
       AND (o.j = 0 OR floor((a.y + :chord + 1) / :side) > floor((a.y - :chord + 1) / :side))
       AND (o.k = 0 OR floor((a.z + :chord + 1) / :side) > floor((a.z - :chord + 1) / :side))
)
DELETE FROM match_center AS c
 USING shadow AS s
 WHERE c.star = s.star;
