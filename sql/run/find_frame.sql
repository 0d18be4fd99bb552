-- What the path of a frame's product is made of.
-- params:  visit bigint
-- returns: pointing integer, filter text, field text, night date
SELECT COALESCE(v.pointing, 0) AS pointing,
       v.filter,
       v.field,
       v.night
  FROM visit AS v
 WHERE v.visit = :visit;
