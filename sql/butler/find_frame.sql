-- A frame and its exposure.
-- params:  visit bigint, ccd integer
-- returns: visit bigint, ccd integer, filter text, field text, pointing integer, night date, tai_date date, exposure_s double precision, data_type text, kind text, path text, hdu integer
SELECT v.visit,
       f.ccd,
       v.filter,
       v.field,
       COALESCE(v.pointing, 0) AS pointing,
       v.night,
       CAST((v.obs_start + INTERVAL '37 s') AT TIME ZONE 'UTC' AS date) AS tai_date,
       v.exposure_s,
       v.data_type,
       f.kind,
       f.path,
       f.hdu
  FROM frame AS f
  JOIN visit AS v ON v.visit = f.visit
 WHERE f.visit = :visit
   AND f.ccd = :ccd;
