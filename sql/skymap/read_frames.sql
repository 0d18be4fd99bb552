-- Corners of the frames that were calibrated, each once, in order around the frame, and whether a selection (NULL: all) has them.
-- params:  run_id bigint, ids jsonb
-- returns: visit bigint, ccd integer, is_selected boolean, corner_ra double precision[], corner_dec double precision[]
SELECT w.visit,
       w.ccd,
       CAST(:ids AS jsonb) IS NULL
       OR (w.visit, w.ccd) IN (SELECT s.visit, s.ccd
                                 FROM selected_frame(CAST(:ids AS jsonb), NULL, NULL) AS s) AS is_selected,
       CAST(w.corner_ra AS double precision[]) AS corner_ra,
       CAST(w.corner_dec AS double precision[]) AS corner_dec
  FROM done_task(CAST(:run_id AS bigint), 'calibrate') AS t
  JOIN wcs_solution AS w ON w.task_id = t.task_id
 WHERE w.tract IS NULL
 ORDER BY w.visit, w.ccd;
