-- Delete the tasks of a run and, with them, every row they have made.
-- params:  run_id bigint
-- returns: count
DELETE FROM task WHERE run_id = :run_id;
