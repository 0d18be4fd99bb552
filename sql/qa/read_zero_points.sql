-- Zero points of the visits of a joint solution, with when and how long they were exposed.
-- params:  mosaic_task_id bigint
-- returns: visit bigint, obs_mjd double precision, exposure_s double precision, zero_point_mag double precision, n_used bigint
SELECT m.visit,
       v.obs_mjd,
       v.exposure_s,
       CAST(m.zero_point_mag AS double precision) AS zero_point_mag,
       CAST(m.n_obs AS bigint) AS n_used
  FROM mosaic_visit AS m
  JOIN visit AS v ON v.visit = m.visit
 WHERE m.task_id = CAST(:mosaic_task_id AS bigint)
 ORDER BY m.visit;
