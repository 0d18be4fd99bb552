-- What isr must know of a raw frame: its file and its exposure.
-- params:  visit bigint, ccd integer
-- returns: path text, hdu integer, data_type text, filter text, field text, pointing integer, night date, obs_mjd double precision,
--          exposure_s double precision, dark_s double precision, ra double precision, dec double precision,
--          rotator_deg double precision, airmass double precision
SELECT f.path,
       f.hdu,
       v.data_type,
       v.filter,
       v.field,
       COALESCE(v.pointing, 0) AS pointing,
       v.night,
       v.obs_mjd,
       v.exposure_s,
       COALESCE(v.dark_s, v.exposure_s, 0) AS dark_s,
       v.ra,
       v.dec,
       v.rotator_deg,
       v.airmass
  FROM frame AS f
  JOIN visit AS v ON v.visit = f.visit
 WHERE f.visit = :visit
   AND f.ccd = :ccd
   AND f.kind = 'raw';
