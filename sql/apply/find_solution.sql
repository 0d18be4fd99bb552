-- Whose WCS and flux scale hold for a frame in a tract: each the joint one, or the first calibration's where that was rejected.
-- params:  run_id bigint, tract integer, visit bigint, ccd integer
-- returns: wcs_task_id bigint, scale_task_id bigint, has_joint boolean, is_catalog boolean
-- scale_task_id: 0 if there is none; has_joint: whether the joint solution has the frame, rejected or not;
-- is_catalog: whether it came as a catalog.
WITH held AS MATERIALIZED (
    SELECT m.task_id, true AS is_joint
      FROM done_task(CAST(:run_id AS bigint), 'mosaic') AS m
     UNION ALL
    SELECT c.task_id, false
      FROM done_task(CAST(:run_id AS bigint), 'calibrate') AS c
     WHERE c.visit = CAST(:visit AS bigint)
       AND c.ccd = CAST(:ccd AS integer)
)
SELECT w.task_id AS wcs_task_id,
       COALESCE((SELECT f.task_id
                   FROM held AS h
                   JOIN flux_scale AS f ON f.task_id = h.task_id
                  WHERE f.visit = CAST(:visit AS bigint)
                    AND f.ccd = CAST(:ccd AS integer)
                    AND (NOT h.is_joint OR (f.tract = CAST(:tract AS integer) AND f.status <> 'rejected'))
                  ORDER BY h.is_joint DESC
                  LIMIT 1), 0) AS scale_task_id,
       bool_or(h.is_joint) OVER () AS has_joint,
       bool_or(w.stage = 'catalog') OVER () AS is_catalog
  FROM held AS h
  JOIN wcs_solution AS w ON w.task_id = h.task_id
 WHERE w.visit = CAST(:visit AS bigint)
   AND w.ccd = CAST(:ccd AS integer)
   AND (NOT h.is_joint OR w.tract = CAST(:tract AS integer))
 ORDER BY (h.is_joint AND w.status <> 'rejected') DESC, h.is_joint
 LIMIT 1;
