-- How many visits and frames there are of each data type and filter.
-- params:  none
-- returns: data_type text, filter text, n_visit bigint, n_frame bigint, first_visit bigint, last_visit bigint
SELECT v.data_type,
       v.filter,
       count(DISTINCT v.visit) AS n_visit,
       count(*) AS n_frame,
       min(v.visit) AS first_visit,
       max(v.visit) AS last_visit
  FROM visit AS v
  JOIN frame AS f ON f.visit = v.visit
 GROUP BY v.data_type, v.filter
 ORDER BY v.data_type, v.filter;
