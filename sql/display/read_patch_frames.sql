-- The frames of a selection that touch a patch of a tract, as a run knows it.
-- params:  run_id bigint, skymap text, tract integer, patch_x integer, patch_y integer, ids jsonb, visits bigint[], ccds integer[]
-- returns: visit bigint, ccd integer, filter text
SELECT DISTINCT
       p.visit,
       p.ccd,
       v.filter
  FROM done_task(CAST(:run_id AS bigint), 'skymap') AS t
  JOIN frame_patch AS p ON p.task_id = t.task_id
  JOIN selected_frame(CAST(:ids AS jsonb), CAST(:visits AS bigint[]), CAST(:ccds AS integer[])) AS s
    ON s.visit = p.visit
   AND s.ccd = p.ccd
  JOIN visit AS v ON v.visit = p.visit
 WHERE p.skymap = :skymap
   AND p.tract = :tract
   AND p.patch_x = :patch_x
   AND p.patch_y = :patch_y
 ORDER BY v.filter, p.visit, p.ccd;
