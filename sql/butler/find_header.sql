-- The header of a frame as it was ingested.
-- params:  visit bigint, ccd integer
-- returns: header jsonb
SELECT h.header
  FROM frame_header AS h
 WHERE h.visit = :visit
   AND h.ccd = :ccd;
