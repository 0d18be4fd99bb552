-- What tells one visit from another of the same number.
-- params:  visit bigint
-- returns: exp_id text, data_type text, filter text
SELECT v.exp_id,
       v.data_type,
       v.filter
  FROM visit AS v
 WHERE v.visit = :visit;
