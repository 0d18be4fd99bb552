-- Detections of a joint solution where the first calibration and the joint solution put them.
-- params:  mosaic_task_id bigint
-- returns: star_id bigint, visit bigint, ccd integer, x_pix double precision, y_pix double precision, ra_before double precision, dec_before double precision, flux_njy_before double precision, ra double precision, dec double precision, mag double precision, mag_err double precision, is_reserved boolean
SELECT r.star_id,
       r.visit,
       r.ccd,
       s.x_pix,
       s.y_pix,
       p.ra AS ra_before,
       p.dec AS dec_before,
       p.flux_njy AS flux_njy_before,
       r.ra,
       r.dec,
       r.mag,
       r.mag_err,
       r.is_reserved
  FROM star_residual AS r
  JOIN task AS t ON t.task_id = r.task_id
  JOIN source AS s ON s.visit = r.visit AND s.ccd = r.ccd AND s.source_id = r.source_id
                  AND s.run_id IN (SELECT c.run_id FROM run_chain(t.run_id) AS c)
                  AND s.task_id IN (SELECT d.task_id FROM done_task(t.run_id, 'detect') AS d)
  JOIN source_sky AS p ON p.visit = r.visit AND p.ccd = r.ccd AND p.source_id = r.source_id
                      AND p.run_id IN (SELECT c.run_id FROM run_chain(t.run_id) AS c)
                      AND p.task_id IN (SELECT d.task_id FROM done_task(t.run_id, 'calibrate') AS d)
 WHERE r.task_id = CAST(:mosaic_task_id AS bigint)
 ORDER BY r.visit, r.ccd, r.star_id;
