-- Numbers that judge the results.
CREATE TABLE qa_metric (
    run_id        bigint NOT NULL,
    task_id       bigint NOT NULL REFERENCES task ON DELETE CASCADE,
    qa_metric_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tract         integer,
    filter        text,
    visit         bigint,
    ccd           integer,
    metric        text NOT NULL,
    variant       text NOT NULL CHECK (variant IN ('before', 'after')),
    sample        text NOT NULL CHECK (sample IN ('all', 'reserved', 'fitted')),
    figure        finite8,
    unit          text NOT NULL,
    n_used        bigint NOT NULL
);
COMMENT ON TABLE  qa_metric               IS 'A figure of merit';
COMMENT ON COLUMN qa_metric.run_id        IS '[-] {meta.id} run';
COMMENT ON COLUMN qa_metric.task_id       IS '[-] {meta.id} qa task';
COMMENT ON COLUMN qa_metric.qa_metric_id  IS '[-] {meta.id} running number';
COMMENT ON COLUMN qa_metric.tract         IS '[-] {meta.id;pos} tract';
COMMENT ON COLUMN qa_metric.filter        IS '[-] {meta.id;instr.filter} filter';
COMMENT ON COLUMN qa_metric.visit         IS '[-] {meta.id;obs} visit, for figures per visit';
COMMENT ON COLUMN qa_metric.ccd           IS '[-] {meta.id;instr.det} CCD, for figures per CCD';
COMMENT ON COLUMN qa_metric.metric        IS '[-] {meta.id} name of the figure, e.g. AM1, PA1, internal_rms_ra';
COMMENT ON COLUMN qa_metric.variant       IS '[-] {meta.code} by the first calibration (before) or by the joint solution (after)';
COMMENT ON COLUMN qa_metric.sample        IS '[-] {meta.code} stars it is made on';
COMMENT ON COLUMN qa_metric.figure        IS '[-] {stat} the figure, in its unit';
COMMENT ON COLUMN qa_metric.unit          IS '[-] {meta.unit} unit of the figure';
COMMENT ON COLUMN qa_metric.n_used        IS '[-] {meta.number} stars, pairs or detections it is made from';
CREATE UNIQUE INDEX qa_metric_once ON qa_metric (task_id, metric, variant, sample, COALESCE(visit, -1), COALESCE(ccd, -1));

