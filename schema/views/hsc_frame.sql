-- Frames by the names of the table frame of the HSC-SSP database.
CREATE VIEW hsc_frame AS
SELECT i.visit * 200 + i.ccd                AS frame_num,
       i.frame_id                           AS frame_id,
       i.visit                              AS visit,
       i.ccd                                AS ccd,
       i.filter                             AS filter01,
       i.field                              AS object,
       i.proposal                           AS prop_id,
       CAST(i.night AS text)                AS date_obs,
       i.obs_mjd                            AS mjd,
       i.exposure_s                         AS exptime,
       i.airmass                            AS airmass,
       i.rotator_deg                        AS insrot,
       i.ra                                 AS ra2000,
       i.dec                                AS dec2000,
       CAST(ROW(i.ra, i.dec) AS skycoord)   AS coord,
       i.seeing_arcsec                      AS seeing,
       i.background_e                       AS skylevel,
       i.background_sigma_e                 AS sigma_sky,
       i.psf_ellipticity                    AS ellipt,
       i.n_source                           AS nobj,
       i.n_ref_star                         AS nobj_match,
       i.zero_point_mag                     AS mag0,
       i.zero_point_rms_mag                 AS mag0_rms
  FROM frame_info AS i
 WHERE i.data_type = 'science';
COMMENT ON VIEW   hsc_frame             IS 'Science frames by the names of the HSC-SSP table frame';
COMMENT ON COLUMN hsc_frame.frame_num   IS '[-] {meta.id;obs} visit * 200 + ccd';
COMMENT ON COLUMN hsc_frame.frame_id    IS '[-] {meta.id;obs} frame identifier of the telescope (FRAMEID)';
COMMENT ON COLUMN hsc_frame.visit       IS '[-] {meta.id;obs} number of the visit';
COMMENT ON COLUMN hsc_frame.ccd         IS '[-] {meta.id;instr.det} number of the CCD';
COMMENT ON COLUMN hsc_frame.filter01    IS '[-] {meta.id;instr.filter} physical filter';
COMMENT ON COLUMN hsc_frame.object      IS '[-] {meta.id;obs.field} name of the field';
COMMENT ON COLUMN hsc_frame.prop_id     IS '[-] {meta.id;obs.proposal} proposal';
COMMENT ON COLUMN hsc_frame.date_obs    IS '[-] {time.epoch;obs} date of the start, UTC';
COMMENT ON COLUMN hsc_frame.mjd         IS '[d] {time.epoch} MJD, TAI, middle of the exposure';
COMMENT ON COLUMN hsc_frame.exptime     IS '[s] {time.duration;obs.exposure} exposure time';
COMMENT ON COLUMN hsc_frame.airmass     IS '[-] {obs.airMass} airmass';
COMMENT ON COLUMN hsc_frame.insrot      IS '[deg] {pos.posAng;instr} position angle of the instrument (INST-PA)';
COMMENT ON COLUMN hsc_frame.ra2000      IS '[deg] {pos.eq.ra;meta.main} right ascension of the frame''s centre, ICRS';
COMMENT ON COLUMN hsc_frame.dec2000     IS '[deg] {pos.eq.dec;meta.main} declination of the frame''s centre, ICRS';
COMMENT ON COLUMN hsc_frame.coord       IS '[deg] {pos.eq} ra2000 and dec2000 in one, for coneSearch and boxSearch';
COMMENT ON COLUMN hsc_frame.seeing      IS '[arcsec] {instr.obsty.seeing} FWHM of the PSF at the centre';
COMMENT ON COLUMN hsc_frame.skylevel    IS '[electron] {instr.skyLevel} mean background subtracted';
COMMENT ON COLUMN hsc_frame.sigma_sky   IS '[electron] {instr.skySigma} noise of a pixel of empty sky';
COMMENT ON COLUMN hsc_frame.ellipt      IS '[-] {src.ellipticity;instr.det.psf} ellipticity of the PSF at the centre';
COMMENT ON COLUMN hsc_frame.nobj        IS '[-] {meta.number} sources stored';
COMMENT ON COLUMN hsc_frame.nobj_match  IS '[-] {meta.number} stars fitted by the calibration';
COMMENT ON COLUMN hsc_frame.mag0        IS '[mag] {phot.calib} AB magnitude of one electron in the whole exposure';
COMMENT ON COLUMN hsc_frame.mag0_rms    IS '[mag] {stat.stdev;phot.mag} rms of the stars that gave the zero point';
