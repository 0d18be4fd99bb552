-- Reference positions of the stars of a tract and filter, at the epoch to which match moved them.
-- params:  run_id bigint, tract integer, filter text, ref_catalog_id integer
-- returns: star_id bigint, ra double precision, dec double precision, epoch_mjd double precision, catalog_epoch_mjd double precision, ra_mas_err double precision, dec_mas_err double precision, ra_dec_corr double precision, pm_ra_mas_yr double precision, pm_dec_mas_yr double precision, pm_ra_mas_yr_err double precision, pm_dec_mas_yr_err double precision, parallax_mas double precision
SELECT r.star_id,
       r.ra,
       r.dec,
       r.epoch_mjd,
       s.epoch_mjd AS catalog_epoch_mjd,
       s.ra_mas_err,
       s.dec_mas_err,
       s.ra_dec_corr,
       s.pm_ra_mas_yr,
       s.pm_dec_mas_yr,
       s.pm_ra_mas_yr_err,
       s.pm_dec_mas_yr_err,
       s.parallax_mas
  FROM done_task(CAST(:run_id AS bigint), 'match') AS t
  JOIN star_ref AS r ON r.task_id = t.task_id AND r.ref_catalog_id = CAST(:ref_catalog_id AS integer)
  JOIN ref_star AS s ON s.ref_catalog_id = r.ref_catalog_id AND s.ref_id = r.ref_id
 WHERE t.tract = CAST(:tract AS integer) AND t.filter = CAST(:filter AS text)
 ORDER BY r.star_id;
