-- How many detections take part.
-- params:  none
-- returns: n_observation bigint
-- needs:   match/replace_work
SELECT count(*) AS n_observation
  FROM match_observation;
