-- The raw frames a master of a kind, ccd (and filter) can be made of, in order of night.
-- params:  kind text, ccd integer, filter text, visits bigint[]
-- returns: visit bigint, path text, hdu integer, night date, exposure_s double precision, dark_s double precision
SELECT f.visit,
       f.path,
       f.hdu,
       v.night,
       v.exposure_s,
       COALESCE(v.dark_s, v.exposure_s) AS dark_s
  FROM frame AS f
  JOIN visit AS v ON v.visit = f.visit
  JOIN master_kind AS k ON k.kind = :kind
 WHERE f.kind = 'raw'
   AND v.data_type = ANY (CASE WHEN k.kind IN ('fringe', 'sky') THEN ARRAY['science']
                               WHEN k.kind = 'defects' THEN ARRAY['dark', 'flat']
                               ELSE ARRAY[k.kind] END)
   AND f.ccd = :ccd
   AND v.night IS NOT NULL
   AND (NOT k.has_filter OR v.filter = :filter)
   AND (CAST(:visits AS bigint[]) IS NULL OR f.visit = ANY (CAST(:visits AS bigint[])))
 ORDER BY v.night, f.visit;
