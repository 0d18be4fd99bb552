-- Frames that masters of a kind are made of, by ccd (and filter for kinds that have one): the units of master.
-- params:  ids jsonb, where_visits bigint[], where_ccds integer[], kind text
-- returns: kind text, ccd integer, filter text, n_frame bigint, visits bigint[]
SELECT k.kind,
       f.ccd,
       CASE WHEN k.has_filter THEN v.filter END AS filter,
       count(*) AS n_frame,
       array_agg(v.visit ORDER BY v.visit) AS visits
  FROM master_kind AS k
  JOIN visit AS v ON v.data_type = CASE WHEN k.kind IN ('bias', 'dark', 'flat') THEN k.kind ELSE 'science' END
  JOIN (SELECT DISTINCT s.visit, s.ccd
          FROM selected_frame(CAST(:ids AS jsonb), CAST(:where_visits AS bigint[]), CAST(:where_ccds AS integer[])) AS s) AS f
    ON f.visit = v.visit
 WHERE k.kind = :kind
 GROUP BY k.kind, f.ccd, CASE WHEN k.has_filter THEN v.filter END
 ORDER BY f.ccd, filter NULLS FIRST;
