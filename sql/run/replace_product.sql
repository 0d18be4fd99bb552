-- Enter a file a task has written; a file that another task of the run had written stays that task's.
-- params:  run_id bigint, task_id bigint, dataset text, visit bigint, ccd integer, tract integer, filter text, path text, n_byte bigint, sha256 text
-- returns: count
INSERT INTO product (run_id, task_id, dataset, visit, ccd, tract, filter, path, n_byte, sha256)
VALUES (:run_id, :task_id, :dataset, :visit, :ccd, :tract, :filter, :path, :n_byte, :sha256)
ON CONFLICT (path) DO UPDATE
   SET n_byte = excluded.n_byte,
       sha256 = excluded.sha256,
       created_at = now(),
       swept_at = NULL;
