-- Enter a file that a stage behind the task's is to write; until it has, the file counts as swept.
-- params:  run_id bigint, task_id bigint, dataset text, visit bigint, ccd integer, tract integer, filter text, path text
-- returns: count
INSERT INTO product (run_id, task_id, dataset, visit, ccd, tract, filter, path, n_byte, sha256, swept_at)
VALUES (:run_id, :task_id, :dataset, :visit, :ccd, :tract, :filter, :path, 0, '', now())
ON CONFLICT (path) DO UPDATE
   SET swept_at = now();
