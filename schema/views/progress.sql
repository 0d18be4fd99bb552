-- How far each stage of each run is.
CREATE VIEW progress AS
SELECT r.name                                         AS run_name,
       t.run_id                                       AS run_id,
       t.stage                                        AS stage,
       count(*)                                       AS n_task,
       count(*) FILTER (WHERE t.status = 'todo')      AS n_todo,
       count(*) FILTER (WHERE t.status = 'running')   AS n_running,
       count(*) FILTER (WHERE t.status = 'done')      AS n_done,
       count(*) FILTER (WHERE t.status = 'failed')    AS n_failed,
       CAST(sum(t.wall_s) AS double precision)        AS wall_s,
       CAST(sum(t.cpu_s) AS double precision)         AS cpu_s,
       CAST(max(t.peak_mb) AS double precision)       AS peak_mb,
       min(t.started_at)                              AS started_at,
       max(t.finished_at)                             AS finished_at
  FROM task AS t
  JOIN run AS r ON r.run_id = t.run_id
 GROUP BY r.name, t.run_id, t.stage;
COMMENT ON VIEW   progress              IS 'How far each stage of each run is';
COMMENT ON COLUMN progress.run_name     IS '[-] {meta.id} name of the run';
COMMENT ON COLUMN progress.run_id       IS '[-] {meta.id} run';
COMMENT ON COLUMN progress.stage        IS '[-] {meta.code} stage of the pipeline';
COMMENT ON COLUMN progress.n_task       IS '[-] {meta.number} tasks';
COMMENT ON COLUMN progress.n_todo       IS '[-] {meta.number} tasks not begun';
COMMENT ON COLUMN progress.n_running    IS '[-] {meta.number} tasks claimed by a worker';
COMMENT ON COLUMN progress.n_done       IS '[-] {meta.number} tasks done';
COMMENT ON COLUMN progress.n_failed     IS '[-] {meta.number} tasks failed';
COMMENT ON COLUMN progress.wall_s       IS '[s] {time.duration} wall-clock seconds of all tasks together';
COMMENT ON COLUMN progress.cpu_s        IS '[s] {time.duration} processor seconds of all tasks together';
COMMENT ON COLUMN progress.peak_mb      IS '[Mbyte] {meta.number} largest resident memory of a worker';
COMMENT ON COLUMN progress.started_at   IS '[-] {time.start} earliest begin';
COMMENT ON COLUMN progress.finished_at  IS '[-] {time.end} latest end';
