-- End the validity of earlier masters at the midpoint to a new one, and begin that of later ones the night after theirs.
-- params:  run_id bigint, kind text, ccd integer, filter text, calib_date date
-- returns: count
UPDATE master AS m
   SET validity = CASE WHEN m.calib_date < CAST(:calib_date AS date)
                       THEN daterange(lower(m.validity),
                                      LEAST(upper(m.validity), m.calib_date + (CAST(:calib_date AS date) - m.calib_date) / 2 + 1))
                       ELSE daterange(GREATEST(lower(m.validity),
                                               CAST(:calib_date AS date) + (m.calib_date - CAST(:calib_date AS date)) / 2 + 1),
                                      upper(m.validity))
                  END
  FROM master_kind AS k
 WHERE k.master_kind_id = m.master_kind_id
   AND k.kind = :kind
   AND m.run_id = :run_id
   AND m.ccd = :ccd
   AND m.filter IS NOT DISTINCT FROM CAST(:filter AS text)
   AND m.calib_date <> CAST(:calib_date AS date);
