-- What was observed. visit = one exposure of the whole camera; frame = one ccd of one visit.
CREATE TABLE visit (
    visit         bigint PRIMARY KEY CHECK (visit >= 0),
    exp_id        text,
    data_type     text NOT NULL CHECK (data_type IN ('science', 'bias', 'dark', 'flat', 'other')),
    filter        text REFERENCES filter,
    band          text,
    field         text,
    proposal      text,
    pointing      integer,
    night         date,
    obs_start     timestamptz,
    obs_mjd       finite8,
    exposure_s    finite8,
    dark_s        finite8,
    ra            finite8 CHECK (ra >= 0 AND ra < 360),
    dec           finite8 CHECK (dec BETWEEN -90 AND 90),
    rotator_deg   finite8,
    airmass       finite8
);
COMMENT ON TABLE  visit              IS 'One exposure of the camera';
COMMENT ON COLUMN visit.visit        IS '[-] {meta.id;obs} number of the visit';
COMMENT ON COLUMN visit.exp_id       IS '[-] {meta.id;obs} exposure identifier of the telescope (EXP-ID)';
COMMENT ON COLUMN visit.data_type    IS '[-] {meta.code.class;obs} science, bias, dark, flat or other';
COMMENT ON COLUMN visit.filter       IS '[-] {meta.id;instr.filter} physical filter';
COMMENT ON COLUMN visit.band         IS '[-] {instr.bandpass} band of the filter';
COMMENT ON COLUMN visit.field        IS '[-] {meta.id;obs.field} name of the field (OBJECT, upper case)';
COMMENT ON COLUMN visit.proposal     IS '[-] {meta.id;obs.proposal} proposal';
COMMENT ON COLUMN visit.pointing     IS '[d] {time.epoch} days since 2012-01-01 (hscPipe''s pointing)';
COMMENT ON COLUMN visit.night        IS '[-] {time.epoch;obs} date of the start, UTC';
COMMENT ON COLUMN visit.obs_start    IS '[-] {time.start;obs} start of the exposure, UTC';
COMMENT ON COLUMN visit.obs_mjd      IS '[d] {time.epoch} MJD, TAI, middle of the exposure';
COMMENT ON COLUMN visit.exposure_s   IS '[s] {time.duration;obs.exposure} exposure time';
COMMENT ON COLUMN visit.dark_s       IS '[s] {time.duration} dark time';
COMMENT ON COLUMN visit.ra           IS '[deg] {pos.eq.ra} boresight right ascension, ICRS';
COMMENT ON COLUMN visit.dec          IS '[deg] {pos.eq.dec} boresight declination, ICRS';
COMMENT ON COLUMN visit.rotator_deg  IS '[deg] {pos.posAng;instr} position angle of the instrument (INST-PA)';
COMMENT ON COLUMN visit.airmass      IS '[-] {obs.airMass} airmass';

CREATE TABLE frame (
    visit        bigint  NOT NULL REFERENCES visit,
    ccd          integer NOT NULL REFERENCES ccd,
    frame_id     text,
    kind         text    NOT NULL CHECK (kind IN ('raw', 'catalog')),
    path         text    NOT NULL UNIQUE,
    hdu          integer NOT NULL,
    width_pix    integer NOT NULL,
    height_pix   integer NOT NULL,
    n_byte       bigint  NOT NULL,
    sha256       text    NOT NULL,
    ccd_temp_k   finite4,
    ingested_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (visit, ccd)
);
COMMENT ON TABLE  frame              IS 'One CCD of one visit: where its file lies';
COMMENT ON COLUMN frame.visit        IS '[-] {meta.id;obs} number of the visit';
COMMENT ON COLUMN frame.ccd          IS '[-] {meta.id;instr.det} number of the CCD';
COMMENT ON COLUMN frame.frame_id     IS '[-] {meta.id;obs} frame identifier of the telescope (FRAMEID)';
COMMENT ON COLUMN frame.kind         IS '[-] {meta.code.class} raw image, or catalog made elsewhere';
COMMENT ON COLUMN frame.path         IS '[-] {meta.ref.uri;meta.file} file; relative paths start at the repository; #n marks one of several CCDs in it';
COMMENT ON COLUMN frame.hdu          IS '[-] {meta.number} HDU of the pixels or rows, counted from 0';
COMMENT ON COLUMN frame.width_pix    IS '[pix] {instr.det} columns of the file''s image';
COMMENT ON COLUMN frame.height_pix   IS '[pix] {instr.det} rows of the file''s image';
COMMENT ON COLUMN frame.n_byte       IS '[byte] {meta.number;meta.file} size of the file';
COMMENT ON COLUMN frame.sha256       IS '[-] {meta.checksum} SHA-256 of the file';
COMMENT ON COLUMN frame.ccd_temp_k   IS '[K] {phys.temperature;instr.det} temperature of the CCD';
COMMENT ON COLUMN frame.ingested_at  IS '[-] {time.creation} when the frame was ingested';
CREATE INDEX frame_ccd ON frame (ccd, visit);

CREATE TABLE frame_header (
    visit   bigint  NOT NULL,
    ccd     integer NOT NULL,
    header  jsonb   NOT NULL,
    PRIMARY KEY (visit, ccd),
    FOREIGN KEY (visit, ccd) REFERENCES frame ON DELETE CASCADE
);
COMMENT ON TABLE  frame_header         IS 'The whole FITS header of each frame';
COMMENT ON COLUMN frame_header.visit   IS '[-] {meta.id;obs} number of the visit';
COMMENT ON COLUMN frame_header.ccd     IS '[-] {meta.id;instr.det} number of the CCD';
COMMENT ON COLUMN frame_header.header  IS '[-] {meta.note} {keyword: [content, comment], ...}; repeated keywords hold a list of such pairs';
CREATE INDEX frame_header_gin ON frame_header USING gin (header jsonb_path_ops);

CREATE TABLE ingest_refusal (
    ingest_refusal_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    path               text NOT NULL,
    reason             text NOT NULL,
    message            text NOT NULL,
    refused_at         timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE  ingest_refusal                    IS 'Files that could not be ingested, and why';
COMMENT ON COLUMN ingest_refusal.ingest_refusal_id  IS '[-] {meta.record} running number';
COMMENT ON COLUMN ingest_refusal.path               IS '[-] {meta.ref.uri;meta.file} the file';
COMMENT ON COLUMN ingest_refusal.reason             IS '[-] {meta.code.error} reason code';
COMMENT ON COLUMN ingest_refusal.message            IS '[-] {meta.note} what is wrong and what to do';
COMMENT ON COLUMN ingest_refusal.refused_at         IS '[-] {time.creation} when';
