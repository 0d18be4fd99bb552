-- All joint solutions that hold, by run.
-- params:  none
-- returns: run text, tract integer, filter text, task_id bigint
SELECT r.name AS run,
       m.tract,
       m.filter,
       m.task_id
  FROM mosaic_solution AS m
  JOIN run AS r ON r.run_id = m.run_id
  JOIN task AS t ON t.task_id = m.task_id AND t.status = 'done'
 ORDER BY r.name, m.tract, m.filter;
