-- Delete a run that has no tasks.
-- params:  run_id bigint
-- returns: count
DELETE FROM run WHERE run_id = :run_id;
