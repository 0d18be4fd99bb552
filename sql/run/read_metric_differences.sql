-- Metrics of the joint solution of a tract and filter that two runs both have and that differ.
-- params:  run_id bigint, other_run_id bigint
-- returns: metric text, sample text, filter text, figure double precision, other double precision, unit text
SELECT a.metric,
       a.sample,
       a.filter,
       a.figure,
       b.figure AS other,
       a.unit
  FROM qa_metric AS a
  JOIN qa_metric AS b
    ON b.metric = a.metric
   AND b.sample = a.sample
   AND b.tract IS NOT DISTINCT FROM a.tract
   AND b.filter IS NOT DISTINCT FROM a.filter
 WHERE a.run_id = :run_id
   AND b.run_id = :other_run_id
   AND a.variant = 'after'
   AND b.variant = 'after'
   AND a.visit IS NULL
   AND b.visit IS NULL
   AND a.ccd IS NULL
   AND b.ccd IS NULL
   AND a.figure IS DISTINCT FROM b.figure
 ORDER BY a.metric, a.sample, a.filter, a.tract;
