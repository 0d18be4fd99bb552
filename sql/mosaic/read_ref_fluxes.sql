-- Reference fluxes of the stars of a tract and filter in the two bands of a color term.
-- params:  run_id bigint, tract integer, filter text, ref_catalog_id integer, primary_band text, secondary_band text
-- returns: star_id bigint, primary_njy double precision, primary_njy_err double precision, secondary_njy double precision, secondary_njy_err double precision
SELECT r.star_id,
       p.flux_njy AS primary_njy,
       p.flux_njy_err AS primary_njy_err,
       s.flux_njy AS secondary_njy,
       s.flux_njy_err AS secondary_njy_err
  FROM done_task(CAST(:run_id AS bigint), 'match') AS t
  JOIN star_ref AS r ON r.task_id = t.task_id AND r.ref_catalog_id = CAST(:ref_catalog_id AS integer)
  JOIN ref_flux AS p ON p.ref_catalog_id = r.ref_catalog_id AND p.ref_id = r.ref_id
                    AND p.band = CAST(:primary_band AS text)
  LEFT JOIN ref_flux AS s ON s.ref_catalog_id = r.ref_catalog_id AND s.ref_id = r.ref_id
                         AND s.band = CAST(:secondary_band AS text)
 WHERE t.tract = CAST(:tract AS integer) AND t.filter = CAST(:filter AS text)
 ORDER BY r.star_id;
