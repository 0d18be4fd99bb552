-- Sources with the joint solution applied by SQL: what `hscdb apply` writes into calibrated_source and CALSRC, without having
-- run it. Where the joint solution of a frame was rejected, its first calibration holds, as in apply.
CREATE VIEW source_calibrated AS
SELECT j.run_id                                                                                                 AS run_id,
       j.tract                                                                                                  AS tract,
       j.visit                                                                                                  AS visit,
       j.ccd                                                                                                    AS ccd,
       s.source_id                                                                                              AS source_id,
       v.filter                                                                                                 AS filter,
       v.obs_mjd                                                                                                AS obs_mjd,
       s.x_pix                                                                                                  AS x_pix,
       s.y_pix                                                                                                  AS y_pix,
       CAST(g.ra AS finite8)                                                                                    AS ra,
       CAST(g.dec AS finite8)                                                                                   AS dec,
       CAST(k.factor AS finite8)                                                                                AS flux_factor,
       CAST(s.psf_flux_e * k.njy AS finite8)                                                                    AS psf_flux_njy,
       CAST(s.psf_flux_e_err * k.njy AS finite8)                                                                AS psf_flux_njy_err,
       CAST(COALESCE(s.aper_12_0_flux_e, p.flux_njy * q.flux_mag0_e / 3631e9) * k.njy AS finite8)               AS aper_flux_njy,
       CAST(COALESCE(s.aper_12_0_flux_e_err, p.flux_njy_err * q.flux_mag0_e / 3631e9) * k.njy AS finite8)       AS aper_flux_njy_err,
       CAST(njy_to_abmag(COALESCE(s.aper_12_0_flux_e, p.flux_njy * q.flux_mag0_e / 3631e9) * k.njy) AS finite8) AS mag,
       s.extendedness                                                                                           AS extendedness,
       s.flags | p.sky_flags                                                                                    AS flags,
       CASE WHEN j.status = 'rejected' THEN 'calibrate' ELSE 'mosaic' END                                       AS wcs_stage,
       j.status = 'extrapolated'                                                                                AS is_extrapolated
  FROM wcs_solution AS j
  JOIN task AS t ON t.task_id = j.task_id AND t.status = 'done'
  JOIN visit AS v ON v.visit = j.visit
 CROSS JOIN LATERAL (SELECT n.task_id, n.run_id
                       FROM run_chain(j.run_id) AS c
                       JOIN task AS n ON n.run_id = c.run_id AND n.visit = j.visit AND n.ccd = j.ccd
                                     AND n.stage = 'calibrate' AND n.status = 'done'
                      ORDER BY c.depth LIMIT 1) AS first
  LEFT JOIN LATERAL (SELECT n.task_id, n.run_id
                       FROM run_chain(j.run_id) AS c
                       JOIN task AS n ON n.run_id = c.run_id AND n.visit = j.visit AND n.ccd = j.ccd
                                     AND n.stage = 'detect' AND n.status = 'done'
                      ORDER BY c.depth LIMIT 1) AS found ON true
  JOIN source_sky AS p ON p.run_id = first.run_id AND p.visit = j.visit AND p.task_id = first.task_id
  JOIN source AS s ON s.run_id = COALESCE(found.run_id, first.run_id) AND s.visit = p.visit AND s.ccd = p.ccd
                  AND s.source_id = p.source_id
  LEFT JOIN wcs_solution AS w0 ON w0.task_id = first.task_id AND w0.visit = j.visit AND w0.ccd = j.ccd
  LEFT JOIN flux_scale AS q ON q.task_id = first.task_id AND q.visit = j.visit AND q.ccd = j.ccd
  LEFT JOIN flux_scale AS f ON f.task_id = j.task_id AND f.visit = j.visit AND f.ccd = j.ccd AND f.status <> 'rejected'
 CROSS JOIN LATERAL sky_frame_place(CASE WHEN j.status <> 'rejected' THEN j ELSE w0 END, s.x_pix, s.y_pix) AS g
 CROSS JOIN LATERAL (SELECT frame_flux_factor(CASE WHEN f.task_id IS NOT NULL THEN f ELSE q END, g.area_deg2, s.x_pix, s.y_pix)
                     OFFSET 0) AS h (factor)
 CROSS JOIN LATERAL (SELECT h.factor, h.factor * 3631e9 / COALESCE(f.flux_mag0_e, q.flux_mag0_e)) AS k (factor, njy)
 WHERE j.stage = 'mosaic';
COMMENT ON VIEW   source_calibrated                    IS 'Sources with the joint solution of each run and tract applied by SQL, as apply does it';
COMMENT ON COLUMN source_calibrated.run_id             IS '[-] {meta.id} run of the joint solution';
COMMENT ON COLUMN source_calibrated.tract              IS '[-] {meta.id;pos} tract';
COMMENT ON COLUMN source_calibrated.visit              IS '[-] {meta.id;obs} number of the visit';
COMMENT ON COLUMN source_calibrated.ccd                IS '[-] {meta.id;instr.det} number of the CCD';
COMMENT ON COLUMN source_calibrated.source_id          IS '[-] {meta.id;src} source: (visit * 200 + ccd) << 32 | running number from 1';
COMMENT ON COLUMN source_calibrated.filter             IS '[-] {meta.id;instr.filter} physical filter';
COMMENT ON COLUMN source_calibrated.obs_mjd            IS '[d] {time.epoch} MJD, TAI, middle of the exposure';
COMMENT ON COLUMN source_calibrated.x_pix              IS '[pix] {pos.cartesian.x;instr.det} centroid, column, 0-based';
COMMENT ON COLUMN source_calibrated.y_pix              IS '[pix] {pos.cartesian.y;instr.det} centroid, row, 0-based';
COMMENT ON COLUMN source_calibrated.ra                 IS '[deg] {pos.eq.ra;meta.main} right ascension, ICRS';
COMMENT ON COLUMN source_calibrated.dec                IS '[deg] {pos.eq.dec;meta.main} declination, ICRS';
COMMENT ON COLUMN source_calibrated.flux_factor        IS '[-] {phot.calib} F = 10^(-0.4 P) J';
COMMENT ON COLUMN source_calibrated.psf_flux_njy       IS '[nJy] {phot.flux.density} PSF flux';
COMMENT ON COLUMN source_calibrated.psf_flux_njy_err   IS '[nJy] {stat.error;phot.flux.density} one sigma of psf_flux_njy';
COMMENT ON COLUMN source_calibrated.aper_flux_njy      IS '[nJy] {phot.flux.density} 12-pix aperture flux (catalogs: their main flux)';
COMMENT ON COLUMN source_calibrated.aper_flux_njy_err  IS '[nJy] {stat.error;phot.flux.density} one sigma of aper_flux_njy';
COMMENT ON COLUMN source_calibrated.mag                IS '[mag] {phot.mag} AB magnitude of aper_flux_njy';
COMMENT ON COLUMN source_calibrated.extendedness       IS '[-] {src.class.starGalaxy} 0 = point source, 1 = extended';
COMMENT ON COLUMN source_calibrated.flags              IS '[-] {meta.code.qual} flag bits, see flag_names()';
COMMENT ON COLUMN source_calibrated.wcs_stage          IS '[-] {meta.code} stage whose WCS holds';
COMMENT ON COLUMN source_calibrated.is_extrapolated    IS '[-] {meta.code.qual} the frame''s solution is extrapolated from the camera model';
