-- Tracts and patches; formulas in hscdb/sky/tract.py.
CREATE TABLE skymap (
    skymap              text PRIMARY KEY,
    kind                text NOT NULL CHECK (kind IN ('discrete', 'rings')),
    version             integer NOT NULL,
    pixel_scale_arcsec  finite8 NOT NULL,
    patch_inner_pix     integer NOT NULL,
    patch_border_pix    integer NOT NULL,
    tract_overlap_deg   finite8 NOT NULL,
    n_ring              integer,
    ra_start_deg        finite8,
    created_at          timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE  skymap                     IS 'A division of the sky into tracts';
COMMENT ON COLUMN skymap.skymap              IS '[-] {meta.id} name: discrete_ and the name of its run, or e.g. hsc_rings_v1';
COMMENT ON COLUMN skymap.kind                IS '[-] {meta.code.class} discrete or rings';
COMMENT ON COLUMN skymap.version             IS '[-] {meta.version} version of the numbering (rings: 0 or 1)';
COMMENT ON COLUMN skymap.pixel_scale_arcsec  IS '[arcsec/pix] {instr.pixel} pixel scale';
COMMENT ON COLUMN skymap.patch_inner_pix     IS '[pix] {meta.number} side of a patch without border';
COMMENT ON COLUMN skymap.patch_border_pix    IS '[pix] {meta.number} border around a patch';
COMMENT ON COLUMN skymap.tract_overlap_deg   IS '[deg] {pos.angDistance} overlap of tracts';
COMMENT ON COLUMN skymap.n_ring              IS '[-] {meta.number} rings (rings only)';
COMMENT ON COLUMN skymap.ra_start_deg        IS '[deg] {pos.eq.ra} right ascension of the first tract of each ring (rings only)';
COMMENT ON COLUMN skymap.created_at          IS '[-] {time.creation} when';

CREATE TABLE tract (
    skymap              text NOT NULL REFERENCES skymap ON DELETE CASCADE,
    tract               integer NOT NULL,
    ra                  finite8 NOT NULL,
    dec                 finite8 NOT NULL,
    radius_deg          finite8 NOT NULL,
    crpix1_pix          finite8 NOT NULL,
    crpix2_pix          finite8 NOT NULL,
    pixel_scale_arcsec  finite8 NOT NULL,
    n_patch_x           integer NOT NULL,
    n_patch_y           integer NOT NULL,
    width_pix           integer NOT NULL,
    height_pix          integer NOT NULL,
    corner_ra           finite8[] NOT NULL,
    corner_dec          finite8[] NOT NULL,
    PRIMARY KEY (skymap, tract)
);
COMMENT ON TABLE  tract                     IS 'A tract: one tangent plane';
COMMENT ON COLUMN tract.skymap              IS '[-] {meta.id} sky map';
COMMENT ON COLUMN tract.tract               IS '[-] {meta.id;pos} tract';
COMMENT ON COLUMN tract.ra                  IS '[deg] {pos.eq.ra} right ascension of the centre, ICRS';
COMMENT ON COLUMN tract.dec                 IS '[deg] {pos.eq.dec} declination of the centre, ICRS';
COMMENT ON COLUMN tract.radius_deg          IS '[deg] {pos.angDistance} half side before rounding to patches';
COMMENT ON COLUMN tract.crpix1_pix          IS '[pix] {pos.cartesian.x} tract pixel of the centre, 0-based';
COMMENT ON COLUMN tract.crpix2_pix          IS '[pix] {pos.cartesian.y} tract pixel of the centre, 0-based';
COMMENT ON COLUMN tract.pixel_scale_arcsec  IS '[arcsec/pix] {instr.pixel} pixel scale';
COMMENT ON COLUMN tract.n_patch_x           IS '[-] {meta.number} patches in x';
COMMENT ON COLUMN tract.n_patch_y           IS '[-] {meta.number} patches in y';
COMMENT ON COLUMN tract.width_pix           IS '[pix] {meta.number} columns';
COMMENT ON COLUMN tract.height_pix          IS '[pix] {meta.number} rows';
COMMENT ON COLUMN tract.corner_ra           IS '[deg] {pos.eq.ra} right ascension of the four corners';
COMMENT ON COLUMN tract.corner_dec          IS '[deg] {pos.eq.dec} declination of the four corners';

CREATE TABLE patch (
    skymap        text NOT NULL,
    tract         integer NOT NULL,
    patch_x       integer NOT NULL,
    patch_y       integer NOT NULL,
    patch         integer NOT NULL,
    inner_x0_pix  integer NOT NULL,
    inner_y0_pix  integer NOT NULL,
    inner_x1_pix  integer NOT NULL,
    inner_y1_pix  integer NOT NULL,
    outer_x0_pix  integer NOT NULL,
    outer_y0_pix  integer NOT NULL,
    outer_x1_pix  integer NOT NULL,
    outer_y1_pix  integer NOT NULL,
    corner_ra     finite8[] NOT NULL,
    corner_dec    finite8[] NOT NULL,
    PRIMARY KEY (skymap, tract, patch_x, patch_y),
    FOREIGN KEY (skymap, tract) REFERENCES tract ON DELETE CASCADE
);
COMMENT ON TABLE  patch               IS 'A patch: a square of a tract';
COMMENT ON COLUMN patch.skymap        IS '[-] {meta.id} sky map';
COMMENT ON COLUMN patch.tract         IS '[-] {meta.id;pos} tract';
COMMENT ON COLUMN patch.patch_x       IS '[-] {meta.id;pos} column of the patch, from 0';
COMMENT ON COLUMN patch.patch_y       IS '[-] {meta.id;pos} row of the patch, from 0';
COMMENT ON COLUMN patch.patch         IS '[-] {meta.id;pos} running number: n_patch_x * patch_y + patch_x';
COMMENT ON COLUMN patch.inner_x0_pix  IS '[pix] {pos.cartesian.x} first tract column without border';
COMMENT ON COLUMN patch.inner_y0_pix  IS '[pix] {pos.cartesian.y} first tract row without border';
COMMENT ON COLUMN patch.inner_x1_pix  IS '[pix] {pos.cartesian.x} last tract column without border';
COMMENT ON COLUMN patch.inner_y1_pix  IS '[pix] {pos.cartesian.y} last tract row without border';
COMMENT ON COLUMN patch.outer_x0_pix  IS '[pix] {pos.cartesian.x} first tract column with border';
COMMENT ON COLUMN patch.outer_y0_pix  IS '[pix] {pos.cartesian.y} first tract row with border';
COMMENT ON COLUMN patch.outer_x1_pix  IS '[pix] {pos.cartesian.x} last tract column with border';
COMMENT ON COLUMN patch.outer_y1_pix  IS '[pix] {pos.cartesian.y} last tract row with border';
COMMENT ON COLUMN patch.corner_ra     IS '[deg] {pos.eq.ra} right ascension of the four outer corners';
COMMENT ON COLUMN patch.corner_dec    IS '[deg] {pos.eq.dec} declination of the four outer corners';

CREATE TABLE frame_tract (
    run_id            bigint NOT NULL,
    task_id           bigint NOT NULL REFERENCES task ON DELETE CASCADE,
    skymap            text NOT NULL,
    tract             integer NOT NULL,
    visit             bigint NOT NULL,
    ccd               integer NOT NULL,
    is_corner_inside  boolean NOT NULL,
    PRIMARY KEY (task_id, tract, visit, ccd),
    FOREIGN KEY (skymap, tract) REFERENCES tract ON DELETE CASCADE
);
COMMENT ON TABLE  frame_tract                   IS 'Frames that touch a tract (any corner inside)';
COMMENT ON COLUMN frame_tract.run_id            IS '[-] {meta.id} run';
COMMENT ON COLUMN frame_tract.task_id           IS '[-] {meta.id} skymap task that made the row';
COMMENT ON COLUMN frame_tract.skymap            IS '[-] {meta.id} sky map';
COMMENT ON COLUMN frame_tract.tract             IS '[-] {meta.id;pos} tract';
COMMENT ON COLUMN frame_tract.visit             IS '[-] {meta.id;obs} number of the visit';
COMMENT ON COLUMN frame_tract.ccd               IS '[-] {meta.id;instr.det} number of the CCD';
COMMENT ON COLUMN frame_tract.is_corner_inside  IS '[-] {meta.code} a corner of the frame lies in the tract; else only its visit does';
CREATE INDEX frame_tract_tract ON frame_tract (run_id, tract, visit, ccd);

CREATE TABLE frame_patch (
    run_id   bigint NOT NULL,
    task_id  bigint NOT NULL REFERENCES task ON DELETE CASCADE,
    skymap   text NOT NULL,
    tract    integer NOT NULL,
    patch_x  integer NOT NULL,
    patch_y  integer NOT NULL,
    visit    bigint NOT NULL,
    ccd      integer NOT NULL,
    PRIMARY KEY (task_id, tract, patch_x, patch_y, visit, ccd)
);
COMMENT ON TABLE  frame_patch          IS 'Frames that touch a patch';
COMMENT ON COLUMN frame_patch.run_id   IS '[-] {meta.id} run';
COMMENT ON COLUMN frame_patch.task_id  IS '[-] {meta.id} skymap task that made the row';
COMMENT ON COLUMN frame_patch.skymap   IS '[-] {meta.id} sky map';
COMMENT ON COLUMN frame_patch.tract    IS '[-] {meta.id;pos} tract';
COMMENT ON COLUMN frame_patch.patch_x  IS '[-] {meta.id;pos} column of the patch';
COMMENT ON COLUMN frame_patch.patch_y  IS '[-] {meta.id;pos} row of the patch';
COMMENT ON COLUMN frame_patch.visit    IS '[-] {meta.id;obs} number of the visit';
COMMENT ON COLUMN frame_patch.ccd      IS '[-] {meta.id;instr.det} number of the CCD';

