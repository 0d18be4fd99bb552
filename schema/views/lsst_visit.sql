-- Visits by the names of LSST's table Visit (lower case, as SQL folds them).
CREATE VIEW lsst_visit AS
SELECT v.visit       AS visitid,
       v.filter      AS physical_filter,
       v.band        AS band,
       v.ra          AS ra,
       v.dec         AS dec,
       v.rotator_deg AS skyrotation,
       v.airmass     AS airmass,
       v.exposure_s  AS exptime,
       v.obs_mjd     AS expmidptmjd,
       v.obs_start   AS obsstart
  FROM visit AS v
 WHERE v.data_type = 'science';
COMMENT ON VIEW   lsst_visit                  IS 'Visits by LSST''s names';
COMMENT ON COLUMN lsst_visit.visitid          IS '[-] {meta.id;obs;meta.main} number of the visit';
COMMENT ON COLUMN lsst_visit.physical_filter  IS '[-] {meta.id;instr.filter} physical filter';
COMMENT ON COLUMN lsst_visit.band             IS '[-] {instr.bandpass} band of the filter';
COMMENT ON COLUMN lsst_visit.ra               IS '[deg] {pos.eq.ra;meta.main} boresight right ascension, ICRS';
COMMENT ON COLUMN lsst_visit.dec              IS '[deg] {pos.eq.dec;meta.main} boresight declination, ICRS';
COMMENT ON COLUMN lsst_visit.skyrotation      IS '[deg] {pos.posAng;instr} position angle of the instrument';
COMMENT ON COLUMN lsst_visit.airmass          IS '[-] {obs.airMass} airmass';
COMMENT ON COLUMN lsst_visit.exptime          IS '[s] {time.duration;obs.exposure} exposure time';
COMMENT ON COLUMN lsst_visit.expmidptmjd      IS '[d] {time.epoch} MJD, TAI, middle of the exposure';
COMMENT ON COLUMN lsst_visit.obsstart         IS '[-] {time.start;obs} start of the exposure, UTC';
