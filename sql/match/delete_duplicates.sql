-- Of two detections of one star in one epoch that are each other's nearest, leave the brighter against the noise.
-- Overlapping CCDs, or crops of one image, see a star twice: within the radius that is one star. In one CCD it is so only
-- where a catalog lists a source twice: no detector takes apart what is nearer than :same_chord.
-- params:  chord double precision, same_chord double precision, side double precision
-- returns: n_gone bigint, n_crowded bigint
-- needs:   match/replace_work
-- n_crowded: detections with several such partners; only these may have one left.
WITH corner AS MATERIALIZED (
    -- each detection once for each cell that its circle touches: the lowest for all, the others for the few that have any
    SELECT a.number, a.epoch, a.ccd, a.snr, a.x, a.y, a.z,
           match_cell(a.x - :chord, a.y - :chord, a.z - :chord, CAST(:side AS double precision)) AS cell
      FROM match_observation AS a
     UNION ALL
    SELECT t.number, t.epoch, t.ccd, t.snr, t.x, t.y, t.z,
           t.cell + (CAST(o.i AS bigint) << 42) + (CAST(o.j AS bigint) << 21) + o.k
      FROM (SELECT a.number, a.epoch, a.ccd, a.snr, a.x, a.y, a.z,
                   match_cell(a.x - :chord, a.y - :chord, a.z - :chord, CAST(:side AS double precision)) AS cell,
                   floor((a.x + :chord + 1) / :side) > floor((a.x - :chord + 1) / :side) AS is_i,
                   floor((a.y + :chord + 1) / :side) > floor((a.y - :chord + 1) / :side) AS is_j,
                   floor((a.z + :chord + 1) / :side) > floor((a.z - :chord + 1) / :side) AS is_k
              FROM match_observation AS a
            OFFSET 0) AS t
      JOIN (VALUES (0, 0, 1), (0, 1, 0), (0, 1, 1), (1, 0, 0), (1, 0, 1), (1, 1, 0), (1, 1, 1)) AS o (i, j, k)
        ON (o.i = 0 OR t.is_i) AND (o.j = 0 OR t.is_j) AND (o.k = 0 OR t.is_k)
     WHERE t.is_i OR t.is_j OR t.is_k
), pair AS MATERIALIZED (
    SELECT a.number,
           b.number AS other_number,
           (b.snr, -b.number) > (a.snr, -a.number) AS is_worse,
           row_number() OVER (PARTITION BY a.number ORDER BY n.chord2, b.number) AS place
      FROM corner AS a
      JOIN match_observation AS b ON b.epoch = a.epoch AND b.cell = a.cell
     CROSS JOIN LATERAL (SELECT (a.x - b.x) * (a.x - b.x) + (a.y - b.y) * (a.y - b.y) + (a.z - b.z) * (a.z - b.z) AS chord2) AS n
     WHERE a.number <> b.number
       AND n.chord2 <= CASE WHEN a.ccd = b.ccd THEN :same_chord * CAST(:same_chord AS double precision)
                            ELSE :chord * CAST(:chord AS double precision) END
), gone AS (
    DELETE FROM match_observation AS m
     USING pair AS p, pair AS q
     WHERE p.place = 1
       AND q.place = 1
       AND q.number = p.other_number
       AND q.other_number = p.number
       AND p.is_worse
       AND m.number = p.number
    RETURNING m.number
)
SELECT (SELECT count(*) FROM gone) AS n_gone,
       (SELECT count(*) FROM pair AS p WHERE p.place = 2) AS n_crowded;
