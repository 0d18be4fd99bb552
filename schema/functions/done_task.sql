-- What a stage may read: for each data id of a stage the done task that is nearest in the chain of runs.
-- A run that is itself at work on a data id again does not hide what its parent has finished.
CREATE OR REPLACE FUNCTION done_task(p_run_id bigint, p_stage text)
    RETURNS TABLE (task_id bigint, run_id bigint, data_id text, visit bigint, ccd integer, tract integer, filter text)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1000
    AS $$
    SELECT DISTINCT ON (t.data_id)
           t.task_id, t.run_id, t.data_id, t.visit, t.ccd, t.tract, t.filter
      FROM run_chain(p_run_id) AS c
      JOIN task AS t ON t.run_id = c.run_id
     WHERE t.stage = p_stage
       AND t.status = 'done'
     ORDER BY t.data_id, c.depth
    $$;
COMMENT ON FUNCTION done_task(bigint, text) IS 'For each data id of a stage, the done task nearest in the chain of runs';
