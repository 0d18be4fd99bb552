-- Corners of the frames that were calibrated, each once, in order around the frame.
-- params:  run_id bigint
-- returns: visit bigint, ccd integer, corner_ra double precision[], corner_dec double precision[]
SELECT w.visit,
       w.ccd,
       CAST(w.corner_ra AS double precision[]) AS corner_ra,
       CAST(w.corner_dec AS double precision[]) AS corner_dec
  FROM done_task(CAST(:run_id AS bigint), 'calibrate') AS t
  JOIN wcs_solution AS w ON w.task_id = t.task_id
 WHERE w.tract IS NULL
 ORDER BY w.visit, w.ccd;
