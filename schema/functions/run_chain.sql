-- A run and the runs it builds on, nearest first: the run itself has depth 0, its parent 1, ...
CREATE OR REPLACE FUNCTION run_chain(p_run_id bigint)
    RETURNS TABLE (run_id bigint, depth integer)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 3
    AS $$
    WITH RECURSIVE chain AS (
        SELECT r.run_id, r.parent_run_id, 0 AS depth
          FROM run AS r
         WHERE r.run_id = p_run_id
         UNION ALL
        SELECT r.run_id, r.parent_run_id, chain.depth + 1
          FROM chain
          JOIN run AS r ON r.run_id = chain.parent_run_id
    ) CYCLE run_id SET is_cycle USING visited
    SELECT chain.run_id, chain.depth
      FROM chain
     WHERE NOT chain.is_cycle
     ORDER BY chain.depth
    $$;
COMMENT ON FUNCTION run_chain(bigint) IS 'A run and the runs it builds on, nearest first';
