-- Give each center of a pass the nearest detection of each epoch, if no other center is nearer to that detection.
-- Detections linked in the passes from :taken_from on, before this one, are not free any more.
-- params:  pass integer, taken_from integer, radius_arcsec double precision
-- returns: count
-- needs:   match/replace_work
WITH nearest AS MATERIALIZED (
    -- each detection's own nearest center first: then few rows are left to choose from per center and epoch
    SELECT o.number, o.epoch, m.right_id AS star, m.sep_arcsec
      FROM xmatch('match_observation', 'match_center', CAST(:radius_arcsec AS double precision), 'best', 'number', 'star') AS m
      JOIN match_observation AS o ON o.number = m.left_id
     WHERE NOT EXISTS (SELECT 1
                         FROM match_link AS l
                        WHERE l.number = o.number
                          AND l.pass >= CAST(:taken_from AS integer)
                          AND l.pass < CAST(:pass AS integer))
)
INSERT INTO match_link (pass, star, epoch, number)
SELECT DISTINCT ON (n.star, n.epoch)
       :pass, n.star, n.epoch, n.number
  FROM nearest AS n
 ORDER BY n.star, n.epoch, n.sep_arcsec, n.number;
