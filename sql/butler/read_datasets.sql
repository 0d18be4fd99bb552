-- The datasets that a run sees and the number of files of each: of a frame, or of everything if visit and ccd are NULL.
-- params:  run_id bigint, visit bigint, ccd integer
-- returns: dataset text, n_file bigint
SELECT p.dataset,
       count(*) AS n_file
  FROM run_chain(:run_id) AS c
  JOIN product AS p ON p.run_id = c.run_id
 WHERE p.swept_at IS NULL
   AND (CAST(:visit AS bigint) IS NULL OR p.visit = :visit)
   AND (CAST(:ccd AS integer)  IS NULL OR p.ccd = :ccd)
 GROUP BY p.dataset
 ORDER BY p.dataset;
