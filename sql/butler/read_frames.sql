-- The frames of a selection, in one data type or in all; visits and ccds NULL, or some frames to look at only.
-- params:  ids jsonb, data_type text, visits bigint[], ccds integer[]
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
  FROM (SELECT DISTINCT s.visit, s.ccd
          FROM selected_frame(CAST(:ids AS jsonb), CAST(:visits AS bigint[]), CAST(:ccds AS integer[])) AS s) AS s
  JOIN frame AS f ON f.visit = s.visit AND f.ccd = s.ccd
  JOIN visit AS v ON v.visit = s.visit
 WHERE CAST(:data_type AS text) IS NULL
    OR v.data_type = :data_type
 ORDER BY v.visit, f.ccd;
