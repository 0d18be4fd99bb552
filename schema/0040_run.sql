-- Who made what, with which settings. A run is hscPipe's rerun.
CREATE TABLE run (
    run_id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name             text NOT NULL UNIQUE CHECK (name ~ '^[A-Za-z0-9_][A-Za-z0-9_./+-]*$'),
    parent_run_id    bigint REFERENCES run (run_id),
    settings         jsonb NOT NULL,
    settings_sha256  text NOT NULL,
    code_version     text NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE  run                  IS 'A run (rerun): results of one set of settings';
COMMENT ON COLUMN run.run_id           IS '[-] {meta.id} number of the run';
COMMENT ON COLUMN run.name             IS '[-] {meta.id} name given with --rerun';
COMMENT ON COLUMN run.parent_run_id    IS '[-] {meta.id.parent} run whose results this one builds on';
COMMENT ON COLUMN run.settings         IS '[-] {meta.note} resolved settings of all stages: {stage: {name: setting}}';
COMMENT ON COLUMN run.settings_sha256  IS '[-] {meta.checksum} SHA-256 of the settings';
COMMENT ON COLUMN run.code_version     IS '[-] {meta.version;meta.software} version of hscdb that opened the run';
COMMENT ON COLUMN run.created_at       IS '[-] {time.creation} when the run was opened';

CREATE TABLE task (
    task_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id       bigint NOT NULL REFERENCES run,
    stage        text NOT NULL,
    data_id      text NOT NULL,
    visit        bigint,
    ccd          integer,
    tract        integer,
    filter       text,
    status       text NOT NULL DEFAULT 'todo' CHECK (status IN ('todo', 'running', 'done', 'failed')),
    selection    text,
    reason       text,
    message      text,
    funnel       jsonb,
    n_attempt    integer NOT NULL DEFAULT 0,
    worker       text,
    started_at   timestamptz,
    finished_at  timestamptz,
    wall_s       finite8,
    cpu_s        finite8,
    peak_mb      finite8,
    UNIQUE (run_id, stage, data_id),
    CHECK ((status = 'failed') = (reason IS NOT NULL))
);
COMMENT ON TABLE  task              IS 'One unit of work of a stage: its state, outcome and cost';
COMMENT ON COLUMN task.task_id      IS '[-] {meta.id} number of the task; every result row carries it';
COMMENT ON COLUMN task.run_id       IS '[-] {meta.id} run';
COMMENT ON COLUMN task.stage        IS '[-] {meta.code} stage of the pipeline';
COMMENT ON COLUMN task.data_id      IS '[-] {meta.id} what is worked on, e.g. visit=903334 ccd=50';
COMMENT ON COLUMN task.visit        IS '[-] {meta.id;obs} visit, if the unit has one';
COMMENT ON COLUMN task.ccd          IS '[-] {meta.id;instr.det} CCD, if the unit has one';
COMMENT ON COLUMN task.tract        IS '[-] {meta.id;pos} tract, if the unit has one';
COMMENT ON COLUMN task.filter       IS '[-] {meta.id;instr.filter} filter, if the unit has one';
COMMENT ON COLUMN task.status       IS '[-] {meta.code.status} todo, running, done or failed';
COMMENT ON COLUMN task.selection    IS '[-] {meta.note} frames a tract was restricted to; NULL when it takes all it has';
COMMENT ON COLUMN task.reason       IS '[-] {meta.code.error} reason code of a failure';
COMMENT ON COLUMN task.message      IS '[-] {meta.note} sentence on the failure: who, what, what to do';
COMMENT ON COLUMN task.funnel       IS '[-] {meta.number} how many entered and left each cut: {name: count}';
COMMENT ON COLUMN task.n_attempt    IS '[-] {meta.number} how often the task was begun';
COMMENT ON COLUMN task.worker       IS '[-] {meta.id} host and process that claimed it last';
COMMENT ON COLUMN task.started_at   IS '[-] {time.start} last begin';
COMMENT ON COLUMN task.finished_at  IS '[-] {time.end} last end';
COMMENT ON COLUMN task.wall_s       IS '[s] {time.duration} wall-clock seconds';
COMMENT ON COLUMN task.cpu_s        IS '[s] {time.duration} processor seconds of the worker';
COMMENT ON COLUMN task.peak_mb      IS '[Mbyte] {meta.number} largest resident memory of the worker so far';
CREATE INDEX task_open ON task (run_id, stage, status) WHERE status <> 'done';
CREATE INDEX task_frame ON task (visit, ccd, stage);

CREATE TABLE product (
    product_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id      bigint NOT NULL REFERENCES run,
    task_id     bigint NOT NULL REFERENCES task ON DELETE CASCADE,
    dataset     text NOT NULL,
    visit       bigint,
    ccd         integer,
    tract       integer,
    filter      text,
    path        text NOT NULL UNIQUE,
    n_byte      bigint NOT NULL,
    sha256      text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    swept_at    timestamptz
);
COMMENT ON TABLE  product             IS 'Every file a task has written';
COMMENT ON COLUMN product.product_id  IS '[-] {meta.id} number of the product';
COMMENT ON COLUMN product.run_id      IS '[-] {meta.id} run';
COMMENT ON COLUMN product.task_id     IS '[-] {meta.id} task that wrote it';
COMMENT ON COLUMN product.dataset     IS '[-] {meta.code.class} kind of product: calexp, src, wcs, fcr, ...';
COMMENT ON COLUMN product.visit       IS '[-] {meta.id;obs} visit, if any';
COMMENT ON COLUMN product.ccd         IS '[-] {meta.id;instr.det} CCD, if any';
COMMENT ON COLUMN product.tract       IS '[-] {meta.id;pos} tract, if any';
COMMENT ON COLUMN product.filter      IS '[-] {meta.id;instr.filter} filter, if any';
COMMENT ON COLUMN product.path        IS '[-] {meta.ref.uri;meta.file} file, relative to the repository';
COMMENT ON COLUMN product.n_byte      IS '[byte] {meta.number;meta.file} size';
COMMENT ON COLUMN product.sha256      IS '[-] {meta.checksum} SHA-256 of the file';
COMMENT ON COLUMN product.created_at  IS '[-] {time.creation} when it was written';
COMMENT ON COLUMN product.swept_at    IS '[-] {time.end} when the file was removed on purpose; NULL while it exists';
CREATE INDEX product_frame ON product (dataset, visit, ccd);
CREATE INDEX product_task ON product (task_id);
