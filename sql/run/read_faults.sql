-- What does not agree within the database: rows that no done task stands for, counts that differ, indexes that are not valid.
-- params:
-- returns: fault text, what text, n bigint
SELECT f.fault, f.what, f.n
  FROM (SELECT 'rows of no done task' AS fault, 'source of run ' || s.run_id || ', task ' || s.task_id AS what, count(*) AS n
          FROM source AS s
         WHERE NOT EXISTS (SELECT 1 FROM task AS t WHERE t.task_id = s.task_id AND t.status = 'done')
         GROUP BY s.run_id, s.task_id
         UNION ALL
        SELECT 'rows of no done task', 'source_sky of run ' || s.run_id || ', task ' || s.task_id, count(*)
          FROM source_sky AS s
         WHERE NOT EXISTS (SELECT 1 FROM task AS t WHERE t.task_id = s.task_id AND t.status = 'done')
         GROUP BY s.run_id, s.task_id
         UNION ALL
        SELECT 'rows of no done task', r.what || ' of run ' || r.run_id || ', task ' || r.task_id, count(*)
          FROM (SELECT 'star_member' AS what, m.run_id, m.task_id FROM star_member AS m
                 UNION ALL
                SELECT 'star_residual', m.run_id, m.task_id FROM star_residual AS m
                 UNION ALL
                SELECT 'calibrated_source', m.run_id, m.task_id FROM calibrated_source AS m) AS r
         WHERE NOT EXISTS (SELECT 1 FROM task AS t WHERE t.task_id = r.task_id AND t.status = 'done')
         GROUP BY r.what, r.run_id, r.task_id
         UNION ALL
        SELECT 'member without star', 'star_member of task ' || m.task_id, count(*)
          FROM star_member AS m
         WHERE NOT EXISTS (SELECT 1 FROM star AS s WHERE s.task_id = m.task_id AND s.star_id = m.star_id)
         GROUP BY m.task_id
         UNION ALL
        SELECT 'count differs', 'source: ' || t.data_id || ' of run ' || t.run_id || ' should have ' || q.n_source, COALESCE(c.n, 0)
          FROM frame_quality AS q
          JOIN task AS t ON t.task_id = q.task_id AND t.status = 'done'
          LEFT JOIN (SELECT s.task_id, count(*) AS n FROM source AS s GROUP BY s.task_id) AS c ON c.task_id = q.task_id
         WHERE COALESCE(c.n, 0) <> q.n_source
           AND to_regclass('archive.source_r' || t.run_id) IS NULL
         UNION ALL
        SELECT 'place without source', 'source_sky of run ' || p.run_id || ', visit ' || p.visit, count(*)
          FROM source_sky AS p
         WHERE NOT EXISTS (SELECT 1 FROM source AS s
                            WHERE s.run_id IN (SELECT c.run_id FROM run_chain(p.run_id) AS c)
                              AND s.visit = p.visit AND s.ccd = p.ccd AND s.source_id = p.source_id)
         GROUP BY p.run_id, p.visit
         UNION ALL
        SELECT 'detection without place', 'star_member of task ' || m.task_id, count(*)
          FROM star_member AS m
         WHERE NOT EXISTS (SELECT 1 FROM source_sky AS p
                            WHERE p.run_id IN (SELECT c.run_id FROM run_chain(m.run_id) AS c)
                              AND p.visit = m.visit AND p.ccd = m.ccd AND p.source_id = m.source_id)
         GROUP BY m.task_id
         UNION ALL
        SELECT 'solution without task', 'wcs_solution of task ' || w.task_id, count(*)
          FROM wcs_solution AS w JOIN task AS t ON t.task_id = w.task_id
         WHERE t.status <> 'done'
         GROUP BY w.task_id
         UNION ALL
        SELECT 'index not valid', CAST(CAST(i.indexrelid AS regclass) AS text), 1
          FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid
         WHERE NOT i.indisvalid AND c.relnamespace = CAST(current_schema() AS regnamespace)
         UNION ALL
        SELECT 'partition not attached', CAST(c.relname AS text), 1
          FROM pg_class AS c
         WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname ~ '^(source|source_sky|star_member|star_residual|calibrated_source)_r?[0-9]'
           AND c.relnamespace = CAST(current_schema() AS regnamespace)) AS f
 ORDER BY f.fault, f.what;
