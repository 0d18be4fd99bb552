-- Unit, UCD and meaning of columns given as table (oid) and place in it, from their comments.
-- params:  tables bigint[], places bigint[]
-- returns: n bigint, unit text, ucd text, meaning text
SELECT c.n,
       NULLIF(part[1], '-') AS unit,
       part[2] AS ucd,
       part[3] AS meaning
  FROM unnest(CAST(:tables AS bigint[]), CAST(:places AS bigint[])) WITH ORDINALITY AS c (table_oid, place, n)
  LEFT JOIN regexp_match(col_description(CAST(c.table_oid AS oid), CAST(c.place AS integer)),
                         '^\[([^]]+)\] \{([^}]+)\} (.+)$') AS part ON true
 ORDER BY c.n;
