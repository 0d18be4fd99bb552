-- The joint solution of a tract and filter.
-- params:  run_id bigint, tract integer, filter text
-- returns: task_id bigint, is_accepted boolean, position_floor_mas double precision, magnitude_floor_mag double precision
SELECT m.task_id,
       m.is_accepted,
       m.position_floor_mas,
       m.magnitude_floor_mag
  FROM done_task(CAST(:run_id AS bigint), 'mosaic') AS t
  JOIN mosaic_solution AS m ON m.task_id = t.task_id
 WHERE t.tract = CAST(:tract AS integer)
   AND t.filter = CAST(:filter AS text);
