-- Where the telescope pointed in a visit.
-- params:  visit bigint
-- returns: ra double precision, dec double precision, rotator_deg double precision
SELECT ra,
       dec,
       COALESCE(rotator_deg, 0) AS rotator_deg
  FROM visit
 WHERE visit = :visit;
