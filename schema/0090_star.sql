-- Stars: detections of one object in several visits (one per visit), and the reference stars they are.
CREATE TABLE star (
    run_id        bigint NOT NULL,
    task_id       bigint NOT NULL REFERENCES task ON DELETE CASCADE,
    star_id       bigint NOT NULL,
    tract         integer NOT NULL,
    filter        text NOT NULL,
    ra            finite8 NOT NULL,
    dec           finite8 NOT NULL,
    flux_njy      finite4,
    n_visit       integer NOT NULL,
    is_ambiguous  boolean NOT NULL,
    is_reserved   boolean NOT NULL,
    PRIMARY KEY (task_id, star_id)
);
COMMENT ON TABLE  star               IS 'A group of detections of one object in a tract and filter';
COMMENT ON COLUMN star.run_id        IS '[-] {meta.id} run';
COMMENT ON COLUMN star.task_id       IS '[-] {meta.id} match task that made the row';
COMMENT ON COLUMN star.star_id       IS '[-] {meta.id;src} star: the same object seen in several visits';
COMMENT ON COLUMN star.tract         IS '[-] {meta.id;pos} tract';
COMMENT ON COLUMN star.filter        IS '[-] {meta.id;instr.filter} physical filter';
COMMENT ON COLUMN star.ra            IS '[deg] {pos.eq.ra;meta.main} mean right ascension of the detections, ICRS';
COMMENT ON COLUMN star.dec           IS '[deg] {pos.eq.dec;meta.main} mean declination, ICRS';
COMMENT ON COLUMN star.flux_njy      IS '[nJy] {phot.flux.density} median calibrated flux';
COMMENT ON COLUMN star.n_visit       IS '[-] {meta.number} visits in which it was seen';
COMMENT ON COLUMN star.is_ambiguous  IS '[-] {meta.code.qual} another detection of one of the visits lies within the match radius';
COMMENT ON COLUMN star.is_reserved   IS '[-] {meta.code} kept out of every fit, to judge it (10 %, by hash of its place)';
CREATE INDEX star_sky ON star (sky_zone(dec), ra);
CREATE INDEX star_run ON star (run_id, tract, filter);

CREATE TABLE star_member (
    run_id     bigint NOT NULL,
    task_id    bigint NOT NULL,
    star_id    bigint NOT NULL,
    visit      bigint NOT NULL,
    ccd        integer NOT NULL,
    source_id  bigint NOT NULL,
    sep_mas    finite4 NOT NULL,
    PRIMARY KEY (task_id, star_id, visit, ccd),
    UNIQUE (task_id, source_id),
    FOREIGN KEY (task_id, star_id) REFERENCES star ON DELETE CASCADE
);
COMMENT ON TABLE  star_member            IS 'The detections of a star';
COMMENT ON COLUMN star_member.run_id     IS '[-] {meta.id} run';
COMMENT ON COLUMN star_member.task_id    IS '[-] {meta.id} match task that made the row';
COMMENT ON COLUMN star_member.star_id    IS '[-] {meta.id;src} star: the same object seen in several visits';
COMMENT ON COLUMN star_member.visit      IS '[-] {meta.id;obs} number of the visit';
COMMENT ON COLUMN star_member.ccd        IS '[-] {meta.id;instr.det} number of the CCD';
COMMENT ON COLUMN star_member.source_id  IS '[-] {meta.id;src} source: (visit * 200 + ccd) << 32 | running number from 1';
COMMENT ON COLUMN star_member.sep_mas    IS '[mas] {pos.angDistance} separation from the star''s mean position';

CREATE TABLE star_ref (
    run_id          bigint NOT NULL,
    task_id         bigint NOT NULL,
    star_id         bigint NOT NULL,
    ref_catalog_id  integer NOT NULL,
    ref_id          bigint NOT NULL,
    sep_mas         finite4 NOT NULL,
    epoch_mjd       finite8 NOT NULL,
    ra              finite8 NOT NULL,
    dec             finite8 NOT NULL,
    PRIMARY KEY (task_id, star_id, ref_catalog_id),
    UNIQUE (task_id, ref_catalog_id, ref_id),
    FOREIGN KEY (task_id, star_id) REFERENCES star ON DELETE CASCADE
);
COMMENT ON TABLE  star_ref                 IS 'The reference star of a star';
COMMENT ON COLUMN star_ref.run_id          IS '[-] {meta.id} run';
COMMENT ON COLUMN star_ref.task_id         IS '[-] {meta.id} match task that made the row';
COMMENT ON COLUMN star_ref.star_id         IS '[-] {meta.id;src} star: the same object seen in several visits';
COMMENT ON COLUMN star_ref.ref_catalog_id  IS '[-] {meta.id} reference catalog';
COMMENT ON COLUMN star_ref.ref_id          IS '[-] {meta.id;src} reference star';
COMMENT ON COLUMN star_ref.sep_mas         IS '[mas] {pos.angDistance} separation at the mean epoch of the detections';
COMMENT ON COLUMN star_ref.epoch_mjd       IS '[d] {time.epoch} epoch to which the reference star was moved';
COMMENT ON COLUMN star_ref.ra              IS '[deg] {pos.eq.ra} right ascension of the reference star at that epoch';
COMMENT ON COLUMN star_ref.dec             IS '[deg] {pos.eq.dec} declination of the reference star at that epoch';

