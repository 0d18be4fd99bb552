-- The patches that frames touch, as a run knows them, with how many.
-- params:  run_id bigint, skymap text
-- returns: tract integer, patch_x integer, patch_y integer, n_frame bigint
SELECT p.tract,
       p.patch_x,
       p.patch_y,
       count(DISTINCT (p.visit, p.ccd)) AS n_frame
  FROM done_task(CAST(:run_id AS bigint), 'skymap') AS t
  JOIN frame_patch AS p ON p.task_id = t.task_id
 WHERE p.skymap = :skymap
 GROUP BY p.tract, p.patch_x, p.patch_y
 ORDER BY p.tract, p.patch_y, p.patch_x;
