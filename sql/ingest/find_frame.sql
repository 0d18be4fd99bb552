-- The file of a frame that is in the registry.
-- params:  visit bigint, ccd integer
-- returns: kind text, path text, sha256 text
SELECT f.kind,
       f.path,
       f.sha256
  FROM frame AS f
 WHERE f.visit = :visit
   AND f.ccd = :ccd;
