-- Certify a master for validity_days before and after its date, but not beyond the midpoints to its neighbors.
-- params:  run_id bigint, task_id bigint, kind text, ccd integer, filter text, calib_date date, validity_days integer,
--          path text, n_input integer, mean_level double precision,
--          mean_level_err double precision
-- returns: master_id bigint, first_night date, last_night date
INSERT INTO master (run_id, task_id, master_kind_id, ccd, filter, calib_date, validity, path, n_input,
                    mean_level, mean_level_err)
SELECT :run_id,
       :task_id,
       k.master_kind_id,
       :ccd,
       :filter,
       :calib_date,
       daterange(GREATEST(CAST(:calib_date AS date) - CAST(:validity_days AS integer), near.first_night),
                 LEAST(CAST(:calib_date AS date) + CAST(:validity_days AS integer) + 1, near.end_night)),
       'rerun/' || r.name || '/' || :path,
       :n_input,
       :mean_level,
       :mean_level_err
  FROM master_kind AS k
  JOIN run AS r ON r.run_id = :run_id
 CROSS JOIN LATERAL (
       SELECT max(m.calib_date + (CAST(:calib_date AS date) - m.calib_date) / 2 + 1)
                  FILTER (WHERE m.calib_date < CAST(:calib_date AS date)) AS first_night,
              min(CAST(:calib_date AS date) + (m.calib_date - CAST(:calib_date AS date)) / 2 + 1)
                  FILTER (WHERE m.calib_date > CAST(:calib_date AS date)) AS end_night
         FROM master AS m
        WHERE m.run_id = :run_id
          AND m.master_kind_id = k.master_kind_id
          AND m.ccd = :ccd
          AND m.filter IS NOT DISTINCT FROM CAST(:filter AS text)
       ) AS near
 WHERE k.kind = :kind
RETURNING master_id, lower(validity) AS first_night, upper(validity) - 1 AS last_night;
