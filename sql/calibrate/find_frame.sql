-- Where, when and through which filter a frame was taken.
-- params:  visit bigint
-- returns: filter text, obs_mjd double precision, exposure_s double precision, ra double precision, dec double precision,
--          rotator_deg double precision
SELECT v.filter,
       v.obs_mjd,
       v.exposure_s,
       v.ra,
       v.dec,
       COALESCE(v.rotator_deg, 0) AS rotator_deg
  FROM visit AS v
 WHERE v.visit = :visit;
