-- The other runs in which frames were cleaned with masters of a run, and how many frames.
-- params:  run_id bigint
-- returns: name text, n_frame bigint
SELECT r.name,
       count(DISTINCT i.task_id) AS n_frame
  FROM master AS m
  JOIN frame_isr AS i ON m.master_id IN (i.bias_master_id, i.dark_master_id, i.flat_master_id,
                                         i.defects_master_id, i.fringe_master_id, i.sky_master_id)
  JOIN task AS t ON t.task_id = i.task_id
  JOIN run AS r ON r.run_id = t.run_id
 WHERE m.run_id = :run_id
   AND t.run_id <> :run_id
 GROUP BY r.name
 ORDER BY r.name;
