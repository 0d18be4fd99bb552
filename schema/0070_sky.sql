-- Reference catalogs, and the sources' places on the sky.
CREATE TABLE ref_catalog (
    ref_catalog_id  integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name            text NOT NULL UNIQUE,
    preset          text,
    epoch_mjd       finite8,
    n_star          bigint NOT NULL DEFAULT 0,
    bands           text[] NOT NULL DEFAULT '{}',
    ingested_at     timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE  ref_catalog                 IS 'A reference catalog that was ingested';
COMMENT ON COLUMN ref_catalog.ref_catalog_id  IS '[-] {meta.id} number of the catalog';
COMMENT ON COLUMN ref_catalog.name            IS '[-] {meta.id} name, e.g. gaia_dr3 or ps1_pv3';
COMMENT ON COLUMN ref_catalog.preset          IS '[-] {meta.code} column preset used (gaia, ps1, map)';
COMMENT ON COLUMN ref_catalog.epoch_mjd       IS '[d] {time.epoch} MJD of the positions where a row has none of its own';
COMMENT ON COLUMN ref_catalog.n_star          IS '[-] {meta.number} stars';
COMMENT ON COLUMN ref_catalog.bands           IS '[-] {instr.bandpass} bands with fluxes';
COMMENT ON COLUMN ref_catalog.ingested_at     IS '[-] {time.creation} last ingest';

CREATE TABLE ref_file (
    ref_catalog_id  integer NOT NULL REFERENCES ref_catalog ON DELETE CASCADE,
    sha256          text NOT NULL,
    path            text NOT NULL,
    n_row           bigint NOT NULL,
    n_stored        bigint NOT NULL,
    PRIMARY KEY (ref_catalog_id, sha256)
);
COMMENT ON TABLE  ref_file                 IS 'Files a reference catalog was read from';
COMMENT ON COLUMN ref_file.ref_catalog_id  IS '[-] {meta.id} catalog';
COMMENT ON COLUMN ref_file.sha256          IS '[-] {meta.checksum} SHA-256 of the file';
COMMENT ON COLUMN ref_file.path            IS '[-] {meta.ref.uri;meta.file} file';
COMMENT ON COLUMN ref_file.n_row           IS '[-] {meta.number} rows read';
COMMENT ON COLUMN ref_file.n_stored        IS '[-] {meta.number} rows stored (new, with coordinates)';

CREATE TABLE ref_star (
    ref_catalog_id     integer NOT NULL REFERENCES ref_catalog ON DELETE CASCADE,
    ref_id             bigint NOT NULL,
    ra                 finite8 NOT NULL,
    dec                finite8 NOT NULL,
    ra_mas_err         finite4,
    dec_mas_err        finite4,
    ra_dec_corr        finite4,
    epoch_mjd          finite8,
    pm_ra_mas_yr       finite4,
    pm_dec_mas_yr      finite4,
    pm_ra_mas_yr_err   finite4,
    pm_dec_mas_yr_err  finite4,
    parallax_mas       finite4,
    parallax_mas_err   finite4,
    is_resolved        boolean,
    is_variable        boolean,
    PRIMARY KEY (ref_catalog_id, ref_id)
);
COMMENT ON TABLE  ref_star                    IS 'A star of a reference catalog';
COMMENT ON COLUMN ref_star.ref_catalog_id     IS '[-] {meta.id} catalog';
COMMENT ON COLUMN ref_star.ref_id             IS '[-] {meta.id;src} identifier in the catalog';
COMMENT ON COLUMN ref_star.ra                 IS '[deg] {pos.eq.ra;meta.main} right ascension, ICRS, at epoch_mjd';
COMMENT ON COLUMN ref_star.dec                IS '[deg] {pos.eq.dec;meta.main} declination, ICRS, at epoch_mjd';
COMMENT ON COLUMN ref_star.ra_mas_err         IS '[mas] {stat.error;pos.eq.ra} one sigma of ra times cos(dec)';
COMMENT ON COLUMN ref_star.dec_mas_err        IS '[mas] {stat.error;pos.eq.dec} one sigma of dec';
COMMENT ON COLUMN ref_star.ra_dec_corr        IS '[-] {stat.correlation} correlation of ra and dec';
COMMENT ON COLUMN ref_star.epoch_mjd          IS '[d] {time.epoch} epoch of the position, MJD TAI';
COMMENT ON COLUMN ref_star.pm_ra_mas_yr       IS '[mas/yr] {pos.pm;pos.eq.ra} proper motion in ra times cos(dec)';
COMMENT ON COLUMN ref_star.pm_dec_mas_yr      IS '[mas/yr] {pos.pm;pos.eq.dec} proper motion in dec';
COMMENT ON COLUMN ref_star.pm_ra_mas_yr_err   IS '[mas/yr] {stat.error;pos.pm} one sigma of pm_ra_mas_yr';
COMMENT ON COLUMN ref_star.pm_dec_mas_yr_err  IS '[mas/yr] {stat.error;pos.pm} one sigma of pm_dec_mas_yr';
COMMENT ON COLUMN ref_star.parallax_mas       IS '[mas] {pos.parallax} parallax';
COMMENT ON COLUMN ref_star.parallax_mas_err   IS '[mas] {stat.error;pos.parallax} one sigma of the parallax';
COMMENT ON COLUMN ref_star.is_resolved        IS '[-] {src.class.starGalaxy} extended source';
COMMENT ON COLUMN ref_star.is_variable        IS '[-] {meta.code} variable';
CREATE INDEX ref_star_sky ON ref_star (sky_zone(dec), ra);

CREATE TABLE ref_flux (
    ref_catalog_id  integer NOT NULL,
    ref_id          bigint NOT NULL,
    band            text NOT NULL,
    flux_njy        finite8 NOT NULL,
    flux_njy_err    finite8,
    PRIMARY KEY (ref_catalog_id, ref_id, band),
    FOREIGN KEY (ref_catalog_id, ref_id) REFERENCES ref_star ON DELETE CASCADE
);
COMMENT ON TABLE  ref_flux                 IS 'Flux of a reference star in one band';
COMMENT ON COLUMN ref_flux.ref_catalog_id  IS '[-] {meta.id} catalog';
COMMENT ON COLUMN ref_flux.ref_id          IS '[-] {meta.id;src} identifier in the catalog';
COMMENT ON COLUMN ref_flux.band            IS '[-] {instr.bandpass} band of the reference catalog';
COMMENT ON COLUMN ref_flux.flux_njy        IS '[nJy] {phot.flux.density} flux';
COMMENT ON COLUMN ref_flux.flux_njy_err    IS '[nJy] {stat.error;phot.flux.density} one sigma of the flux';

CREATE TABLE source_sky (
    run_id        bigint NOT NULL,
    task_id       bigint NOT NULL,
    visit         bigint NOT NULL,
    ccd           integer NOT NULL,
    source_id     bigint NOT NULL,
    ra            finite8 NOT NULL,
    dec           finite8 NOT NULL,
    ra_mas_err    finite4,
    dec_mas_err   finite4,
    flux_njy      finite4,
    flux_njy_err  finite4,
    PRIMARY KEY (run_id, visit, source_id)
) PARTITION BY LIST (run_id);
COMMENT ON TABLE  source_sky               IS 'Where each source lies on the sky and how bright it is, by the first calibration of its frame (or by the catalog it came in)';
COMMENT ON COLUMN source_sky.run_id        IS '[-] {meta.id} run';
COMMENT ON COLUMN source_sky.task_id       IS '[-] {meta.id} task that made the row';
COMMENT ON COLUMN source_sky.visit         IS '[-] {meta.id;obs} number of the visit';
COMMENT ON COLUMN source_sky.ccd           IS '[-] {meta.id;instr.det} number of the CCD';
COMMENT ON COLUMN source_sky.source_id     IS '[-] {meta.id;src} source: (visit * 200 + ccd) << 32 | running number from 1';
COMMENT ON COLUMN source_sky.ra            IS '[deg] {pos.eq.ra;meta.main} right ascension, ICRS, [0, 360)';
COMMENT ON COLUMN source_sky.dec           IS '[deg] {pos.eq.dec;meta.main} declination, ICRS';
COMMENT ON COLUMN source_sky.ra_mas_err    IS '[mas] {stat.error;pos.eq.ra} one sigma of ra times cos(dec), from the centroid';
COMMENT ON COLUMN source_sky.dec_mas_err   IS '[mas] {stat.error;pos.eq.dec} one sigma of dec, from the centroid';
COMMENT ON COLUMN source_sky.flux_njy      IS '[nJy] {phot.flux.density} calibrated 12-pix aperture flux (catalogs: their main flux)';
COMMENT ON COLUMN source_sky.flux_njy_err  IS '[nJy] {stat.error;phot.flux.density} one sigma of flux_njy';
CREATE INDEX source_sky_sky ON source_sky (sky_zone(dec), ra);
CREATE INDEX source_sky_task ON source_sky (task_id);

CREATE TABLE source_ref (
    run_id          bigint NOT NULL,
    task_id         bigint NOT NULL REFERENCES task ON DELETE CASCADE,
    visit           bigint NOT NULL,
    ccd             integer NOT NULL,
    source_id       bigint NOT NULL,
    ref_catalog_id  integer NOT NULL,
    ref_id          bigint NOT NULL,
    sep_arcsec      finite4 NOT NULL,
    is_used         boolean NOT NULL,
    PRIMARY KEY (task_id, source_id, ref_catalog_id)
);
COMMENT ON TABLE  source_ref                 IS 'Sources of a frame paired with reference stars by calibrate';
COMMENT ON COLUMN source_ref.run_id          IS '[-] {meta.id} run';
COMMENT ON COLUMN source_ref.task_id         IS '[-] {meta.id} task that made the row';
COMMENT ON COLUMN source_ref.visit           IS '[-] {meta.id;obs} number of the visit';
COMMENT ON COLUMN source_ref.ccd             IS '[-] {meta.id;instr.det} number of the CCD';
COMMENT ON COLUMN source_ref.source_id       IS '[-] {meta.id;src} source: (visit * 200 + ccd) << 32 | running number from 1';
COMMENT ON COLUMN source_ref.ref_catalog_id  IS '[-] {meta.id} reference catalog';
COMMENT ON COLUMN source_ref.ref_id          IS '[-] {meta.id;src} reference star';
COMMENT ON COLUMN source_ref.sep_arcsec      IS '[arcsec] {pos.angDistance} separation after the fit';
COMMENT ON COLUMN source_ref.is_used         IS '[-] {meta.code} used in the final fit';

