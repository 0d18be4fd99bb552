-- The master of a kind for a ccd (and filter) on a night: the one that holds, of the nearest run in the chain; else the one nearest in time.
-- params:  calib_run_id bigint, kind text, ccd integer, filter text, night date
-- returns: master_id bigint, run_name text, path text, calib_date date, first_night date, last_night date,
--          is_valid boolean, gap_days integer, mean_level double precision
SELECT m.master_id,
       r.name AS run_name,
       m.path,
       m.calib_date,
       lower(m.validity) AS first_night,
       upper(m.validity) - 1 AS last_night,
       COALESCE(m.validity @> CAST(:night AS date), false) AS is_valid,
       COALESCE(GREATEST(lower(m.validity) - CAST(:night AS date),
                         CAST(:night AS date) - upper(m.validity) + 1,
                         0), 0) AS gap_days,
       m.mean_level
  FROM run_chain(:calib_run_id) AS c
  JOIN run AS r ON r.run_id = c.run_id
  JOIN master AS m ON m.run_id = c.run_id
  JOIN master_kind AS k ON k.master_kind_id = m.master_kind_id
 WHERE k.kind = :kind
   AND m.ccd = :ccd
   AND (NOT k.has_filter OR m.filter = :filter)
 ORDER BY is_valid DESC, CASE WHEN COALESCE(m.validity @> CAST(:night AS date), false) THEN c.depth ELSE 0 END,
          gap_days, c.depth, m.calib_date DESC, m.master_id
 LIMIT 1;
