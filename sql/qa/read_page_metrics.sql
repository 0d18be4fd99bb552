-- The metrics of one qa task that are of the whole tract, each with its figure before and after the joint solution.
-- params:  qa_task_id bigint
-- returns: metric text, sample text, before double precision, after double precision, unit text, n_used bigint
SELECT m.metric,
       m.sample,
       max(m.figure) FILTER (WHERE m.variant = 'before') AS before,
       max(m.figure) FILTER (WHERE m.variant = 'after') AS after,
       m.unit,
       max(m.n_used) AS n_used
  FROM qa_metric AS m
 WHERE m.task_id = CAST(:qa_task_id AS bigint)
   AND m.visit IS NULL
   AND m.ccd IS NULL
 GROUP BY m.metric, m.sample, m.unit
 ORDER BY m.metric, m.sample;
