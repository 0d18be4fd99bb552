-- The detections of the stars.
-- params:  run_id bigint, task_id bigint, pass integer
-- returns: count
-- needs:   match/replace_work
INSERT INTO star_member (run_id, task_id, star_id, visit, ccd, source_id, sep_mas)
SELECT :run_id,
       :task_id,
       n.star_id,
       o.visit,
       o.ccd,
       o.source_id,
       degrees(2 * asin(least(1, sqrt(c.chord2) / 2))) * 3600000
  FROM match_name AS n
  JOIN match_group AS g ON g.star = n.star
  JOIN match_link AS l ON l.star = n.star AND l.pass = CAST(:pass AS integer)
  JOIN match_observation AS o ON o.number = l.number
 CROSS JOIN LATERAL (SELECT (o.x - g.x) * (o.x - g.x) + (o.y - g.y) * (o.y - g.y) + (o.z - g.z) * (o.z - g.z) AS chord2) AS c
 ORDER BY n.star_id, o.visit, o.ccd;
