-- Funnel counts of the done tasks of a stage among some units, summed.
-- params:  run_id bigint, stage text, data_ids text[]
-- returns: name text, n_task bigint, total double precision, place bigint
SELECT e.key AS name,
       count(*) AS n_task,
       sum(CAST(e.value AS double precision)) AS total,
       min(e.place) AS place
  FROM task AS t
 CROSS JOIN LATERAL jsonb_each_text(t.funnel) WITH ORDINALITY AS e (key, value, place)
 WHERE t.run_id = :run_id
   AND t.stage = :stage
   AND t.status = 'done'
   AND t.data_id = ANY (CAST(:data_ids AS text[]))
 GROUP BY e.key
 ORDER BY place, name;
