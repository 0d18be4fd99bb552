-- Why a frame got no further in a run or in those that it builds on.
-- params:  run_id bigint, visit bigint, ccd integer
-- returns: stage text, reason text, message text
SELECT t.stage,
       t.reason,
       t.message
  FROM run_chain(:run_id) AS c
  JOIN task AS t ON t.run_id = c.run_id
 WHERE t.status = 'failed'
   AND t.visit = :visit
   AND t.ccd = :ccd
 ORDER BY c.depth, t.task_id;
