-- Calibrated sources that another task of the run has written for the frame: doing images and catalogs one after the
-- other, or again, makes a source no second row.
-- params:  run_id bigint, task_id bigint, tract integer, visit bigint, ccd integer
-- returns: count
DELETE FROM calibrated_source
 WHERE run_id = CAST(:run_id AS bigint)
   AND task_id <> CAST(:task_id AS bigint)
   AND tract = CAST(:tract AS integer)
   AND visit = CAST(:visit AS bigint)
   AND ccd = CAST(:ccd AS integer)
   AND task_id IN (SELECT t.task_id
                     FROM task AS t
                    WHERE t.run_id = CAST(:run_id AS bigint)
                      AND t.stage = 'apply'
                      AND t.tract = CAST(:tract AS integer)
                      AND t.visit = CAST(:visit AS bigint)
                      AND t.ccd = CAST(:ccd AS integer));
