-- Reference catalogs linked to the stars of a tract and filter, the best one for positions first.
-- params:  run_id bigint, tract integer, filter text
-- returns: ref_catalog_id integer, name text, n_star bigint
SELECT c.ref_catalog_id,
       c.name,
       count(*) AS n_star
  FROM done_task(CAST(:run_id AS bigint), 'match') AS t
  JOIN star_ref AS r ON r.task_id = t.task_id
  JOIN ref_catalog AS c ON c.ref_catalog_id = r.ref_catalog_id
 WHERE t.tract = CAST(:tract AS integer) AND t.filter = CAST(:filter AS text)
 GROUP BY c.ref_catalog_id, c.name, c.preset
 -- Gaia's positions are a hundred times better than any other's: never mix them
 ORDER BY (c.preset = 'gaia') DESC NULLS LAST, count(*) DESC, c.name;
