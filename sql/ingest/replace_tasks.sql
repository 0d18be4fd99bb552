-- Enter frames of a catalog as calibrated: one done task each.
-- params:  run_id bigint, visits bigint[], ccds integer[], data_ids text[], filters text[], funnels jsonb[]
-- returns: task_id bigint, visit bigint, ccd integer
INSERT INTO task AS t (run_id, stage, data_id, visit, ccd, filter, status, funnel, n_attempt, started_at, finished_at)
SELECT :run_id, 'calibrate', u.data_id, u.visit, u.ccd, u.filter, 'done', u.funnel, 1, clock_timestamp(),
       clock_timestamp()
  FROM unnest(:visits, :ccds, :data_ids, :filters, :funnels) AS u (visit, ccd, data_id, filter, funnel)
ON CONFLICT (run_id, stage, data_id) DO UPDATE
   SET status = 'done',
       reason = NULL,
       message = NULL,
       funnel = excluded.funnel,
       n_attempt = t.n_attempt + 1,
       started_at = excluded.started_at,
       finished_at = excluded.finished_at
RETURNING t.task_id, t.visit, t.ccd;
