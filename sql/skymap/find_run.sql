-- Name of a run.
-- params:  run_id bigint
-- returns: name text
SELECT r.name
  FROM run AS r
 WHERE r.run_id = :run_id;
