-- Open tasks again: the failed, those whose input is newer, those of another selection and, on demand, the done.
-- params:  run_id bigint, stage text, data_ids text[], newest timestamptz[], selections text[], is_redo boolean
-- returns: data_id text, was text, is_stale boolean, old_selection text
WITH asked AS (
    SELECT u.data_id, u.newest, u.selection
      FROM unnest(CAST(:data_ids AS text[]), CAST(:newest AS timestamptz[]), CAST(:selections AS text[]))
           AS u (data_id, newest, selection)
), found AS (
    SELECT t.task_id, t.data_id, t.status, t.selection AS old_selection, a.selection,
           t.status = 'done' AND a.newest > t.started_at AS is_stale
      FROM task AS t
      JOIN asked AS a ON a.data_id = t.data_id
     WHERE t.run_id = :run_id
       AND t.stage = :stage
       AND (t.status IN ('todo', 'failed')
            OR (t.status = 'done'
                AND (:is_redo OR a.newest > t.started_at OR t.selection IS DISTINCT FROM a.selection)))
       FOR UPDATE OF t
)
UPDATE task AS t
   SET status = 'todo',
       reason = NULL,
       message = NULL,
       selection = f.selection
  FROM found AS f
 WHERE t.task_id = f.task_id
RETURNING t.data_id, f.status AS was, COALESCE(f.is_stale, false) AS is_stale, f.old_selection;
