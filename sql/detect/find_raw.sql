-- Where the raw frame of a CCD lies.
-- params:  visit bigint, ccd integer
-- returns: path text, hdu integer
SELECT path,
       hdu
  FROM frame
 WHERE visit = :visit
   AND ccd = :ccd;
