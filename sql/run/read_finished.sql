-- When the newest done task of each stage in the chain of runs was finished.
-- params:  run_id bigint, stages text[]
-- returns: stage text, finished_at timestamptz
SELECT t.stage,
       max(t.finished_at) AS finished_at
  FROM run_chain(:run_id) AS c
  JOIN task AS t ON t.run_id = c.run_id
 WHERE t.stage = ANY (CAST(:stages AS text[]))
   AND t.status = 'done'
 GROUP BY t.stage
 ORDER BY t.stage;
