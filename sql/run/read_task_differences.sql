-- What is done in two runs, stage by stage: done in each, in both, failed in each.
-- params:  run_id bigint, other_run_id bigint
-- returns: stage text, n_done bigint, n_other bigint, n_both bigint, n_failed bigint, n_other_failed bigint
SELECT t.stage,
       count(*) FILTER (WHERE t.run_id = :run_id AND t.status = 'done') AS n_done,
       count(*) FILTER (WHERE t.run_id = :other_run_id AND t.status = 'done') AS n_other,
       count(*) FILTER (WHERE t.run_id = :run_id AND t.status = 'done'
                          AND EXISTS (SELECT 1
                                        FROM task AS o
                                       WHERE o.run_id = :other_run_id
                                         AND o.stage = t.stage
                                         AND o.data_id = t.data_id
                                         AND o.status = 'done')) AS n_both,
       count(*) FILTER (WHERE t.run_id = :run_id AND t.status = 'failed') AS n_failed,
       count(*) FILTER (WHERE t.run_id = :other_run_id AND t.status = 'failed') AS n_other_failed
  FROM task AS t
 WHERE t.run_id IN (:run_id, :other_run_id)
 GROUP BY t.stage
 ORDER BY min(t.task_id);
