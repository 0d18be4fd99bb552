-- Where something comes from, step by step down to the raw files: tasks with their run and program version, the files
-- they wrote, the masters that isr used, and the raw frames those were built from.
CREATE OR REPLACE FUNCTION provenance(p_run_id bigint, p_visit bigint, p_ccd integer, p_tract integer DEFAULT NULL)
    RETURNS TABLE (step integer, kind text, run_name text, stage text, data_id text, task_id bigint, path text,
                   sha256 text, code_version text, finished_at timestamptz)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 50
    SET search_path FROM CURRENT
    AS $$
WITH chain AS MATERIALIZED (
    SELECT c.run_id, c.depth, r.name, r.code_version FROM run_chain($1) AS c JOIN run AS r ON r.run_id = c.run_id
), done AS MATERIALIZED (
    SELECT DISTINCT ON (t.stage, t.data_id) t.*, c.name AS run_name, c.code_version
      FROM task AS t
      JOIN chain AS c ON c.run_id = t.run_id
     WHERE t.status = 'done'
       AND ((t.visit = $2 AND t.ccd = $3 AND (t.tract IS NULL OR t.tract = $4))
         OR ($4 IS NOT NULL AND t.visit IS NULL AND t.stage IN ('skymap', 'match', 'mosaic') AND (t.tract IS NULL OR t.tract = $4)
             AND (t.filter IS NULL OR t.filter = (SELECT v.filter FROM visit AS v WHERE v.visit = $2))))
     ORDER BY t.stage, t.data_id, c.depth
), used AS MATERIALIZED (
    SELECT m.*, r.name AS run_name, r.code_version
      FROM done AS d
      JOIN frame_isr AS i ON i.task_id = d.task_id
      JOIN master AS m ON m.master_id IN (i.bias_master_id, i.dark_master_id, i.flat_master_id,
                                          i.defects_master_id, i.fringe_master_id, i.sky_master_id)
      JOIN run AS r ON r.run_id = m.run_id
), steps AS (
    SELECT array_position(ARRAY['apply', 'mosaic', 'match', 'skymap', 'calibrate', 'detect', 'isr'], d.stage) AS step,
           CASE WHEN p.path IS NULL THEN 'rows' ELSE p.dataset END AS kind, d.run_name, d.stage, d.data_id, d.task_id,
           p.path, p.sha256, d.code_version, d.finished_at
      FROM done AS d
      LEFT JOIN product AS p ON p.task_id = d.task_id AND p.swept_at IS NULL
                            AND (p.visit IS NULL OR p.visit = $2) AND (p.ccd IS NULL OR p.ccd = $3)
     UNION ALL
    SELECT 8, 'master ' || k.kind, u.run_name, 'master', t.data_id, u.task_id, u.path, p.sha256, u.code_version, t.finished_at
      FROM used AS u
      JOIN master_kind AS k ON k.master_kind_id = u.master_kind_id
      LEFT JOIN task AS t ON t.task_id = u.task_id
      LEFT JOIN product AS p ON p.task_id = u.task_id AND p.path = u.path
     UNION ALL
    SELECT 9, 'raw', NULL, 'ingest', 'visit=' || f.visit || ' ccd=' || f.ccd, NULL, f.path, f.sha256, NULL, f.ingested_at
      FROM frame AS f
     WHERE f.visit = $2 AND f.ccd = $3
     UNION
    SELECT 10, 'raw of a master', NULL, 'ingest', 'visit=' || f.visit || ' ccd=' || f.ccd, NULL, f.path, f.sha256, NULL, f.ingested_at
      FROM used AS u
      JOIN master_input AS i ON i.master_id = u.master_id
      JOIN frame AS f ON f.visit = i.visit AND f.ccd = i.ccd
)
SELECT s.step, s.kind, s.run_name, s.stage, s.data_id, s.task_id, s.path, s.sha256, s.code_version, s.finished_at
  FROM steps AS s
 ORDER BY s.step NULLS FIRST, s.data_id, s.path
    $$;
COMMENT ON FUNCTION provenance(bigint, bigint, integer, integer)
    IS 'Where the results of a run on a frame (and in a tract) come from: every task, file and master down to the raw files';

CREATE OR REPLACE FUNCTION provenance(p_dataset text, p_visit bigint, p_ccd integer, p_tract integer DEFAULT NULL)
    RETURNS TABLE (step integer, kind text, run_name text, stage text, data_id text, task_id bigint, path text,
                   sha256 text, code_version text, finished_at timestamptz)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 50
    SET search_path FROM CURRENT
    AS $$
SELECT s.*
  FROM (SELECT p.run_id, p.tract, array_position(ARRAY['apply', 'mosaic', 'match', 'skymap', 'calibrate', 'detect', 'isr'], t.stage) AS step
          FROM product AS p
          JOIN task AS t ON t.task_id = p.task_id
         WHERE p.dataset = $1 AND p.visit = $2 AND p.ccd = $3 AND ($4 IS NULL OR p.tract = $4) AND t.status = 'done'
         ORDER BY p.product_id DESC LIMIT 1) AS n
 CROSS JOIN LATERAL provenance(n.run_id, $2, $3, n.tract) AS s
 WHERE s.step >= n.step OR n.step IS NULL
    $$;
COMMENT ON FUNCTION provenance(text, bigint, integer, integer)
    IS 'Where the newest file of a dataset (calexp, src, ...) of a frame comes from, down to the raw files';

CREATE OR REPLACE FUNCTION provenance(p_match_task_id bigint, p_star_id bigint)
    RETURNS TABLE (visit bigint, ccd integer, source_id bigint, step integer, kind text, run_name text, stage text,
                   data_id text, task_id bigint, path text, sha256 text, code_version text, finished_at timestamptz)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 500
    SET search_path FROM CURRENT
    AS $$
SELECT m.visit, m.ccd, m.source_id, s.*
  FROM star_member AS m
  JOIN task AS t ON t.task_id = m.task_id
 CROSS JOIN LATERAL provenance(m.run_id, m.visit, m.ccd, t.tract) AS s
 WHERE m.task_id = $1 AND m.star_id = $2
 ORDER BY m.visit, m.ccd, s.step, s.data_id, s.path
    $$;
COMMENT ON FUNCTION provenance(bigint, bigint) IS 'Where a star comes from: provenance of the frame of each of its detections';
