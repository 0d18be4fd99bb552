-- Frames of a selection that are of one kind and data type, one row per visit with its CCDs, for lists of very many.
-- params:  ids jsonb, where_visits bigint[], where_ccds integer[], kind text, data_type text
-- returns: visit bigint, ccds integer[], filter text, field text, pointing integer, night date, tai_date date, exposure_s double precision
SELECT v.visit,
       array_agg(DISTINCT f.ccd) AS ccds,
       v.filter,
       v.field,
       COALESCE(v.pointing, 0) AS pointing,
       v.night,
       CAST((v.obs_start + INTERVAL '37 s') AT TIME ZONE 'UTC' AS date) AS tai_date,
       v.exposure_s
  FROM selected_frame(CAST(:ids AS jsonb), CAST(:where_visits AS bigint[]), CAST(:where_ccds AS integer[])) AS s
  JOIN frame AS f ON f.visit = s.visit AND f.ccd = s.ccd
  JOIN visit AS v ON v.visit = s.visit
 WHERE (CAST(:kind AS text) IS NULL OR f.kind = :kind)
   AND (CAST(:data_type AS text) IS NULL OR v.data_type = :data_type)
 GROUP BY v.visit
 ORDER BY v.visit;
