-- Which of some frames are in the registry, and whether a run has them calibrated.
-- params:  run_id bigint, visits bigint[], ccds integer[]
-- returns: visit bigint, ccd integer, kind text, path text, sha256 text, is_done boolean
SELECT f.visit,
       f.ccd,
       f.kind,
       f.path,
       f.sha256,
       EXISTS (SELECT 1
                 FROM task AS t
                WHERE t.run_id = :run_id
                  AND t.stage = 'calibrate'
                  AND t.visit = f.visit
                  AND t.ccd = f.ccd
                  AND t.status = 'done') AS is_done
  FROM unnest(:visits, :ccds) AS u (visit, ccd)
  JOIN frame AS f ON f.visit = u.visit AND f.ccd = u.ccd
 ORDER BY f.visit, f.ccd;
