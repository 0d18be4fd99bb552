-- For dashboards: what was computed when, and what it cost.
CREATE VIEW bi_task AS
SELECT t.started_at                        AS started_at,
       t.finished_at                       AS finished_at,
       r.name                              AS run_name,
       t.stage                             AS stage,
       t.data_id                           AS data_id,
       t.visit                             AS visit,
       t.ccd                               AS ccd,
       t.tract                             AS tract,
       t.filter                            AS filter,
       t.status                            AS status,
       t.reason                            AS reason,
       CAST(t.wall_s AS double precision)  AS wall_s,
       CAST(t.cpu_s AS double precision)   AS cpu_s,
       CAST(t.peak_mb AS double precision) AS peak_mb
  FROM task AS t
  JOIN run AS r ON r.run_id = t.run_id;
COMMENT ON VIEW   bi_task              IS 'One row per unit of work, for dashboards';
COMMENT ON COLUMN bi_task.started_at   IS '[-] {time.start} last begin';
COMMENT ON COLUMN bi_task.finished_at  IS '[-] {time.end} last end';
COMMENT ON COLUMN bi_task.run_name     IS '[-] {meta.id} name of the run';
COMMENT ON COLUMN bi_task.stage        IS '[-] {meta.code} stage of the pipeline';
COMMENT ON COLUMN bi_task.data_id      IS '[-] {meta.id} what is worked on';
COMMENT ON COLUMN bi_task.visit        IS '[-] {meta.id;obs} number of the visit';
COMMENT ON COLUMN bi_task.ccd          IS '[-] {meta.id;instr.det} number of the CCD';
COMMENT ON COLUMN bi_task.tract        IS '[-] {meta.id;pos} tract';
COMMENT ON COLUMN bi_task.filter       IS '[-] {meta.id;instr.filter} physical filter';
COMMENT ON COLUMN bi_task.status       IS '[-] {meta.code.status} todo, running, done or failed';
COMMENT ON COLUMN bi_task.reason       IS '[-] {meta.code.error} reason code of a failure';
COMMENT ON COLUMN bi_task.wall_s       IS '[s] {time.duration} wall-clock seconds';
COMMENT ON COLUMN bi_task.cpu_s        IS '[s] {time.duration} processor seconds';
COMMENT ON COLUMN bi_task.peak_mb      IS '[Mbyte] {meta.number} largest resident memory of the worker so far';
