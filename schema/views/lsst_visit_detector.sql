-- Frames by the names of LSST's table VisitDetector.
CREATE VIEW lsst_visit_detector AS
SELECT i.visit                          AS visitid,
       i.ccd                            AS detector,
       i.filter                         AS physical_filter,
       i.band                           AS band,
       i.ra                             AS ra,
       i.dec                            AS dec,
       CAST(i.seeing_arcsec AS finite8) AS seeing,
       i.background_e                   AS skybg,
       i.background_sigma_e             AS skynoise,
       i.zero_point_mag                 AS zeropoint,
       i.obs_mjd                        AS expmidptmjd
  FROM frame_info AS i
 WHERE i.data_type = 'science';
COMMENT ON VIEW   lsst_visit_detector                  IS 'Science frames by LSST''s names';
COMMENT ON COLUMN lsst_visit_detector.visitid          IS '[-] {meta.id;obs} number of the visit';
COMMENT ON COLUMN lsst_visit_detector.detector         IS '[-] {meta.id;instr.det} number of the CCD';
COMMENT ON COLUMN lsst_visit_detector.physical_filter  IS '[-] {meta.id;instr.filter} physical filter';
COMMENT ON COLUMN lsst_visit_detector.band             IS '[-] {instr.bandpass} band of the filter';
COMMENT ON COLUMN lsst_visit_detector.ra               IS '[deg] {pos.eq.ra;meta.main} right ascension of the centre, ICRS';
COMMENT ON COLUMN lsst_visit_detector.dec              IS '[deg] {pos.eq.dec;meta.main} declination of the centre, ICRS';
COMMENT ON COLUMN lsst_visit_detector.seeing           IS '[arcsec] {instr.obsty.seeing} FWHM of the PSF at the centre';
COMMENT ON COLUMN lsst_visit_detector.skybg            IS '[electron] {instr.skyLevel} mean background subtracted';
COMMENT ON COLUMN lsst_visit_detector.skynoise         IS '[electron] {instr.skySigma} noise of a pixel of empty sky';
COMMENT ON COLUMN lsst_visit_detector.zeropoint        IS '[mag] {phot.calib} AB magnitude of one electron in the whole exposure';
COMMENT ON COLUMN lsst_visit_detector.expmidptmjd      IS '[d] {time.epoch} MJD, TAI, middle of the exposure';
