-- Reference catalogs of the stars of a tract and filter, the best one for positions first.
-- params:  run_id bigint, tract integer, filter text
-- returns: ref_catalog_id integer
SELECT r.ref_catalog_id
  FROM done_task(CAST(:run_id AS bigint), 'match') AS t
  JOIN star_ref AS r ON r.task_id = t.task_id
  JOIN ref_catalog AS c ON c.ref_catalog_id = r.ref_catalog_id
 WHERE t.tract = CAST(:tract AS integer)
   AND t.filter = CAST(:filter AS text)
 GROUP BY r.ref_catalog_id, c.preset
 ORDER BY (c.preset = 'gaia') DESC NULLS LAST, count(*) DESC, r.ref_catalog_id;
