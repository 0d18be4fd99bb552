-- Filters of the flats among some visits.
-- params:  visits bigint[]
-- returns: filter text
SELECT DISTINCT v.filter
  FROM visit AS v
 WHERE v.data_type = 'flat'
   AND v.filter IS NOT NULL
   AND v.visit = ANY (CAST(:visits AS bigint[]))
 ORDER BY v.filter;
