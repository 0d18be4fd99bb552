-- The camera of this repository, copied from its description (hscdb/camera/<name>/) so that SQL can use it.
CREATE TABLE camera (
    camera              text PRIMARY KEY,
    pixel_scale_arcsec  finite8 NOT NULL,
    n_ccd               integer NOT NULL,
    description         text NOT NULL,
    description_sha256  text NOT NULL
);
COMMENT ON TABLE  camera                     IS 'The camera of this repository (one row)';
COMMENT ON COLUMN camera.camera              IS '[-] {meta.id;instr} name of the camera';
COMMENT ON COLUMN camera.pixel_scale_arcsec  IS '[arcsec/pix] {instr.pixel} nominal pixel scale at the field centre';
COMMENT ON COLUMN camera.n_ccd               IS '[-] {meta.number} number of CCDs described';
COMMENT ON COLUMN camera.description         IS '[-] {meta.note} one sentence on the camera';
COMMENT ON COLUMN camera.description_sha256  IS '[-] {meta.checksum} SHA-256 over the files of the description';

CREATE TABLE ccd (
    ccd         integer PRIMARY KEY CHECK (ccd BETWEEN 0 AND 199),
    name        text    NOT NULL UNIQUE,
    kind        text    NOT NULL,
    is_science  boolean NOT NULL,
    width_pix   integer NOT NULL,
    height_pix  integer NOT NULL,
    u_pix       finite8 NOT NULL,
    v_pix       finite8 NOT NULL,
    yaw_deg     finite8 NOT NULL,
    n_quarter   smallint NOT NULL
);
COMMENT ON TABLE  ccd             IS 'The CCDs of the camera';
COMMENT ON COLUMN ccd.ccd         IS '[-] {meta.id;instr.det} number of the CCD (DET-ID for HSC)';
COMMENT ON COLUMN ccd.name        IS '[-] {meta.id;instr.det} name of the CCD in the camera';
COMMENT ON COLUMN ccd.kind        IS '[-] {meta.code.class} science, focus or guider';
COMMENT ON COLUMN ccd.is_science  IS '[-] {meta.code} whether the CCD takes science data';
COMMENT ON COLUMN ccd.width_pix   IS '[pix] {instr.det} columns of the trimmed image';
COMMENT ON COLUMN ccd.height_pix  IS '[pix] {instr.det} rows of the trimmed image';
COMMENT ON COLUMN ccd.u_pix       IS '[pix] {pos.cartesian.x;instr.det} focal-plane position of the centre, first axis';
COMMENT ON COLUMN ccd.v_pix       IS '[pix] {pos.cartesian.y;instr.det} focal-plane position of the centre, second axis';
COMMENT ON COLUMN ccd.yaw_deg     IS '[deg] {pos.posAng;instr.det} rotation of the CCD in the focal plane';
COMMENT ON COLUMN ccd.n_quarter   IS '[-] {meta.number} quarter turns nearest to the yaw';

CREATE TABLE amplifier (
    ccd              integer  NOT NULL REFERENCES ccd,
    amp              smallint NOT NULL,
    x0_pix           integer  NOT NULL,
    y0_pix           integer  NOT NULL,
    width_pix        integer  NOT NULL,
    height_pix       integer  NOT NULL,
    gain_e_per_adu   finite8  NOT NULL CHECK (gain_e_per_adu > 0),
    read_noise_e     finite8,
    saturation_adu   finite8,
    linearity_c0     finite8,
    PRIMARY KEY (ccd, amp)
);
COMMENT ON TABLE  amplifier                 IS 'The amplifiers of each CCD, in the trimmed image';
COMMENT ON COLUMN amplifier.ccd             IS '[-] {meta.id;instr.det} number of the CCD';
COMMENT ON COLUMN amplifier.amp             IS '[-] {meta.id;instr.det} number of the amplifier';
COMMENT ON COLUMN amplifier.x0_pix          IS '[pix] {instr.det} first column';
COMMENT ON COLUMN amplifier.y0_pix          IS '[pix] {instr.det} first row';
COMMENT ON COLUMN amplifier.width_pix       IS '[pix] {instr.det} columns';
COMMENT ON COLUMN amplifier.height_pix      IS '[pix] {instr.det} rows';
COMMENT ON COLUMN amplifier.gain_e_per_adu  IS '[electron/adu] {instr.calib} gain';
COMMENT ON COLUMN amplifier.read_noise_e    IS '[electron] {instr.det.noise} read noise';
COMMENT ON COLUMN amplifier.saturation_adu  IS '[adu] {instr.saturation} raw level from which a pixel is saturated';
COMMENT ON COLUMN amplifier.linearity_c0    IS '[1/adu] {instr.calib} coefficient of I (1 + c0 I)';

CREATE TABLE filter (
    filter     text PRIMARY KEY,
    band       text NOT NULL,
    lambda_nm  finite8
);
COMMENT ON TABLE  filter            IS 'The physical filters of the camera and the band each belongs to';
COMMENT ON COLUMN filter.filter     IS '[-] {meta.id;instr.filter} physical filter, e.g. HSC-R2';
COMMENT ON COLUMN filter.band       IS '[-] {instr.bandpass} band, e.g. r';
COMMENT ON COLUMN filter.lambda_nm  IS '[nm] {em.wl.effective} effective wavelength';

CREATE TABLE color_term (
    color_term_set  text NOT NULL,
    refcat_glob     text NOT NULL,
    filter          text NOT NULL REFERENCES filter,
    primary_band    text NOT NULL,
    secondary_band  text NOT NULL,
    c0              finite8 NOT NULL,
    c1              finite8 NOT NULL,
    c2              finite8 NOT NULL,
    PRIMARY KEY (color_term_set, refcat_glob, filter)
);
COMMENT ON TABLE  color_term                 IS 'm_filter = p + c0 + c1 (p - s) + c2 (p - s)^2 from reference bands p and s';
COMMENT ON COLUMN color_term.color_term_set  IS '[-] {meta.id} generation of the color terms';
COMMENT ON COLUMN color_term.refcat_glob     IS '[-] {meta.id} glob on the name of the reference catalog';
COMMENT ON COLUMN color_term.filter          IS '[-] {meta.id;instr.filter} filter of the camera';
COMMENT ON COLUMN color_term.primary_band    IS '[-] {instr.bandpass} reference band p';
COMMENT ON COLUMN color_term.secondary_band  IS '[-] {instr.bandpass} reference band s';
COMMENT ON COLUMN color_term.c0              IS '[mag] {phot.color} constant';
COMMENT ON COLUMN color_term.c1              IS '[-] {phot.color} coefficient of p - s';
COMMENT ON COLUMN color_term.c2              IS '[1/mag] {phot.color} coefficient of (p - s)^2';
