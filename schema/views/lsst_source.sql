-- Detections by the names of LSST's table Source.
CREATE VIEW lsst_source AS
SELECT i.source_id                            AS sourceid,
       i.run_id                               AS run_id,
       i.visit                                AS visit,
       i.ccd                                  AS detector,
       i.filter                               AS physical_filter,
       i.obs_mjd                              AS midpointmjdtai,
       i.ra                                   AS ra,
       i.dec                                  AS dec,
       CAST(i.ra_mas_err / 3.6e6 AS finite8)  AS raerr,
       CAST(i.dec_mas_err / 3.6e6 AS finite8) AS decerr,
       i.flux_njy                             AS ap12flux,
       i.flux_njy_err                         AS ap12fluxerr
  FROM source_info AS i;
COMMENT ON VIEW   lsst_source                  IS 'Detections with their first calibration, by LSST''s names';
COMMENT ON COLUMN lsst_source.sourceid         IS '[-] {meta.id;src;meta.main} source: (visit * 200 + ccd) << 32 | running number from 1';
COMMENT ON COLUMN lsst_source.run_id           IS '[-] {meta.id} run';
COMMENT ON COLUMN lsst_source.visit            IS '[-] {meta.id;obs} number of the visit';
COMMENT ON COLUMN lsst_source.detector         IS '[-] {meta.id;instr.det} number of the CCD';
COMMENT ON COLUMN lsst_source.physical_filter  IS '[-] {meta.id;instr.filter} physical filter';
COMMENT ON COLUMN lsst_source.midpointmjdtai   IS '[d] {time.epoch} MJD, TAI, middle of the exposure';
COMMENT ON COLUMN lsst_source.ra               IS '[deg] {pos.eq.ra;meta.main} right ascension, ICRS';
COMMENT ON COLUMN lsst_source.dec              IS '[deg] {pos.eq.dec;meta.main} declination, ICRS';
COMMENT ON COLUMN lsst_source.raerr            IS '[deg] {stat.error;pos.eq.ra} one sigma of ra times cos(dec)';
COMMENT ON COLUMN lsst_source.decerr           IS '[deg] {stat.error;pos.eq.dec} one sigma of dec';
COMMENT ON COLUMN lsst_source.ap12flux         IS '[nJy] {phot.flux.density} 12-pix aperture flux';
COMMENT ON COLUMN lsst_source.ap12fluxerr      IS '[nJy] {stat.error;phot.flux.density} one sigma of ap12flux';
