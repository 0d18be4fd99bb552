-- Masters (bias, dark, flat, ...) and the nights for which they hold.
CREATE TABLE master_kind (
    master_kind_id  integer PRIMARY KEY,
    kind            text NOT NULL UNIQUE,
    has_filter      boolean NOT NULL
);
COMMENT ON TABLE  master_kind                 IS 'Kinds of masters';
COMMENT ON COLUMN master_kind.master_kind_id  IS '[-] {meta.id} number of the kind';
COMMENT ON COLUMN master_kind.kind            IS '[-] {meta.code.class} bias, dark, flat, fringe, sky, defects';
COMMENT ON COLUMN master_kind.has_filter      IS '[-] {meta.code} whether there is one per filter';
INSERT INTO master_kind VALUES (1, 'bias', false), (2, 'dark', false), (3, 'flat', true), (4, 'fringe', true), (5, 'sky', true),
    (6, 'defects', false);

CREATE TABLE master (
    master_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id          bigint NOT NULL REFERENCES run,
    task_id         bigint NOT NULL REFERENCES task ON DELETE CASCADE,
    master_kind_id  integer NOT NULL REFERENCES master_kind,
    ccd             integer NOT NULL REFERENCES ccd,
    filter          text REFERENCES filter,
    filter_hash     integer GENERATED ALWAYS AS (COALESCE(hashtext(filter), 0)) STORED,
    calib_date      date NOT NULL,
    validity        daterange NOT NULL CHECK (NOT isempty(validity)),
    path            text NOT NULL,
    n_input         integer NOT NULL,
    mean_level      finite8 NOT NULL,
    mean_level_err  finite8,
    EXCLUDE USING gist (
        int8range(run_id, run_id, '[]') WITH &&,
        int4range(master_kind_id, master_kind_id, '[]') WITH &&,
        int4range(ccd, ccd, '[]') WITH &&,
        int8range(filter_hash::bigint, filter_hash::bigint, '[]') WITH &&,
        validity WITH &&)
);
COMMENT ON TABLE  master                 IS 'A certified master; two of one kind, ccd and filter never hold on the same night of a run';
COMMENT ON COLUMN master.master_id       IS '[-] {meta.id} number of the master';
COMMENT ON COLUMN master.run_id          IS '[-] {meta.id} run that certified it';
COMMENT ON COLUMN master.task_id         IS '[-] {meta.id} task that built it';
COMMENT ON COLUMN master.master_kind_id  IS '[-] {meta.id} kind';
COMMENT ON COLUMN master.ccd             IS '[-] {meta.id;instr.det} CCD';
COMMENT ON COLUMN master.filter          IS '[-] {meta.id;instr.filter} filter; NULL for bias, dark and defects';
COMMENT ON COLUMN master.filter_hash     IS '[-] {meta.id} hash of the filter, so that the exclusion needs no extension';
COMMENT ON COLUMN master.calib_date      IS '[-] {time.epoch} middle night of its inputs';
COMMENT ON COLUMN master.validity        IS '[-] {time.period} nights for which it holds';
COMMENT ON COLUMN master.path            IS '[-] {meta.ref.uri;meta.file} file, relative to the repository';
COMMENT ON COLUMN master.n_input         IS '[-] {meta.number} raw frames combined';
COMMENT ON COLUMN master.mean_level      IS '[-] {stat.mean} mean level: adu (bias), electrons per second (dark), response over the mean of the mosaic (flat), rms over the sky (fringe), 1 (sky), part of the pixels (defects)';
COMMENT ON COLUMN master.mean_level_err  IS '[-] {stat.error} scatter of the inputs'' levels';

CREATE TABLE master_input (
    master_id  bigint NOT NULL REFERENCES master ON DELETE CASCADE,
    visit      bigint NOT NULL,
    ccd        integer NOT NULL,
    mean_level  finite8 NOT NULL,
    weight      finite8 NOT NULL,
    PRIMARY KEY (master_id, visit),
    FOREIGN KEY (visit, ccd) REFERENCES frame
);
COMMENT ON TABLE  master_input            IS 'The frames a master was built from';
COMMENT ON COLUMN master_input.master_id  IS '[-] {meta.id} master';
COMMENT ON COLUMN master_input.visit      IS '[-] {meta.id;obs} visit';
COMMENT ON COLUMN master_input.ccd        IS '[-] {meta.id;instr.det} CCD';
COMMENT ON COLUMN master_input.mean_level IS '[electron] {stat.mean} median of the frame; adu for a bias';
COMMENT ON COLUMN master_input.weight     IS '[-] {stat.weight} what the frame was divided by: seconds (dark), electrons at the mean of the mosaic (flat), electrons of sky (fringe, sky), 1 (bias)';

CREATE TABLE master_defect (
    master_id   bigint NOT NULL REFERENCES master ON DELETE CASCADE,
    x0_pix      integer NOT NULL,
    y0_pix      integer NOT NULL,
    width_pix   integer NOT NULL CHECK (width_pix > 0),
    height_pix  integer NOT NULL CHECK (height_pix > 0),
    cause       text NOT NULL CHECK (cause IN ('list', 'hot', 'response', 'unlit')),
    PRIMARY KEY (master_id, cause, y0_pix, x0_pix, width_pix, height_pix)
);
COMMENT ON TABLE  master_defect             IS 'Rectangles of bad pixels of a master of kind defects: those of the camera''s list and those found';
COMMENT ON COLUMN master_defect.master_id   IS '[-] {meta.id} master';
COMMENT ON COLUMN master_defect.x0_pix      IS '[pix] {instr.det} first column in the trimmed image, 0-based';
COMMENT ON COLUMN master_defect.y0_pix      IS '[pix] {instr.det} first row';
COMMENT ON COLUMN master_defect.width_pix   IS '[pix] {instr.det} columns';
COMMENT ON COLUMN master_defect.height_pix  IS '[pix] {instr.det} rows';
COMMENT ON COLUMN master_defect.cause       IS '[-] {meta.code.class} list (the camera''s), hot (dark), response (flat), unlit (no number in the dark or flat)';
