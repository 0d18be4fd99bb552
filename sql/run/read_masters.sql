-- The selected frames that masters of a kind are made of, by ccd (and filter for kinds that have one), and how many there are in all.
-- params:  ids jsonb, where_visits bigint[], where_ccds integer[], kind text
-- returns: kind text, ccd integer, filter text, visits bigint[], n_all bigint, newest timestamptz
WITH input AS MATERIALIZED (
    SELECT k.kind, f.ccd, f.visit, f.ingested_at, CASE WHEN k.has_filter THEN v.filter END AS filter
      FROM master_kind AS k
      JOIN visit AS v ON v.data_type = ANY (CASE WHEN k.kind IN ('fringe', 'sky') THEN ARRAY['science']
                                                WHEN k.kind = 'defects' THEN ARRAY['dark', 'flat']
                                                ELSE ARRAY[k.kind] END)
      JOIN frame AS f ON f.visit = v.visit AND f.kind = 'raw'
     WHERE k.kind = :kind
), chosen AS MATERIALIZED (
    SELECT DISTINCT s.visit, s.ccd
      FROM selected_frame(CAST(:ids AS jsonb), CAST(:where_visits AS bigint[]), CAST(:where_ccds AS integer[])) AS s
)
SELECT i.kind,
       i.ccd,
       i.filter,
       array_agg(i.visit ORDER BY i.visit) FILTER (WHERE c.visit IS NOT NULL) AS visits,
       count(*) AS n_all,
       max(i.ingested_at) FILTER (WHERE c.visit IS NOT NULL) AS newest
  FROM input AS i
  LEFT JOIN chosen AS c ON c.visit = i.visit AND c.ccd = i.ccd
 GROUP BY i.kind, i.ccd, i.filter
HAVING count(c.visit) > 0
 ORDER BY i.ccd, i.filter NULLS FIRST;
