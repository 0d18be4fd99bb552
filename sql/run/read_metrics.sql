-- The metrics of whole tracts, each with its figure before and after the joint solution.
-- params:  none
-- returns: run text, tract integer, filter text, metric text, sample text, before double precision, after double precision, unit text, n_used bigint
SELECT r.name AS run,
       m.tract,
       m.filter,
       m.metric,
       m.sample,
       max(m.figure) FILTER (WHERE m.variant = 'before') AS before,
       max(m.figure) FILTER (WHERE m.variant = 'after') AS after,
       m.unit,
       max(m.n_used) AS n_used
  FROM qa_metric AS m
  JOIN run AS r ON r.run_id = m.run_id
 WHERE m.visit IS NULL
   AND m.ccd IS NULL
 GROUP BY r.name, m.tract, m.filter, m.metric, m.sample, m.unit
 ORDER BY r.name, m.tract, m.filter, m.metric, m.sample;
