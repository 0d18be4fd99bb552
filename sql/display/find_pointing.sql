-- Where the telescope pointed in a visit, and what the visit is called.
-- params:  visit bigint
-- returns: ra double precision, dec double precision, rotator_deg double precision, filter text, field text, exposure_s double precision
SELECT v.ra,
       v.dec,
       v.rotator_deg,
       v.filter,
       v.field,
       v.exposure_s
  FROM visit AS v
 WHERE v.visit = :visit;
