-- For each stage a unit needs, its nearest task in the chain of runs that is done, or else the nearest that is not.
-- params:  run_id bigint, stages text[], visit bigint, ccd integer, tract integer, filter text
-- returns: stage text, status text, reason text, message text, data_id text, finished_at timestamptz
SELECT DISTINCT ON (t.stage)
       t.stage,
       t.status,
       t.reason,
       t.message,
       t.data_id,
       t.finished_at
  FROM run_chain(:run_id) AS c
  JOIN task AS t ON t.run_id = c.run_id
 WHERE t.stage = ANY (CAST(:stages AS text[]))
   AND (t.visit  IS NULL OR CAST(:visit AS bigint)  IS NULL OR t.visit  = :visit)
   AND (t.ccd    IS NULL OR CAST(:ccd AS integer)   IS NULL OR t.ccd    = :ccd)
   AND (t.tract  IS NULL OR CAST(:tract AS integer) IS NULL OR t.tract  = :tract)
   AND (t.filter IS NULL OR CAST(:filter AS text)   IS NULL OR t.filter = :filter)
 ORDER BY t.stage, t.status = 'done' DESC, c.depth, t.task_id DESC;
