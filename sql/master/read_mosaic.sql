-- All science CCDs of some visits: the mosaic over which a flat is normalised.
-- params:  visits bigint[]
-- returns: visit bigint, ccd integer, path text, hdu integer
SELECT f.visit,
       f.ccd,
       f.path,
       f.hdu
  FROM frame AS f
  JOIN ccd AS c ON c.ccd = f.ccd
 WHERE f.kind = 'raw'
   AND c.is_science
   AND f.visit = ANY (CAST(:visits AS bigint[]))
 ORDER BY f.visit, f.ccd;
