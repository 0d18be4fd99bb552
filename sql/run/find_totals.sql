-- What the repository holds.
-- params:  none
-- returns: n_visit bigint, n_frame bigint, n_science_frame bigint, n_ref_catalog bigint, n_run bigint, n_refused bigint
SELECT (SELECT count(*) FROM visit) AS n_visit,
       (SELECT count(*) FROM frame) AS n_frame,
       (SELECT count(*) FROM frame AS f JOIN visit AS v ON v.visit = f.visit AND v.data_type = 'science') AS n_science_frame,
       (SELECT count(*) FROM ref_catalog) AS n_ref_catalog,
       (SELECT count(*) FROM run) AS n_run,
       (SELECT count(*) FROM ingest_refusal) AS n_refused;
