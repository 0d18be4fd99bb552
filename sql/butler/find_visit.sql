-- What is known of an exposure.
-- params:  visit bigint
-- returns: visit bigint, filter text, exposure_s double precision, obs_mjd double precision, ra double precision, dec double precision, rotator_deg double precision, airmass double precision
SELECT v.visit,
       v.filter,
       v.exposure_s,
       v.obs_mjd,
       v.ra,
       v.dec,
       v.rotator_deg,
       v.airmass
  FROM visit AS v
 WHERE v.visit = :visit;
