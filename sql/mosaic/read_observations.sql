-- Detections of the matched stars of a tract and filter in these frames (read_frames), by source.
-- The flux is that of the first calibration, or another one of the source, by its frame's first flux scale.
-- params:  run_id bigint, tract integer, filter text, flux text, visits bigint[], ccds integer[], sky_run_ids bigint[], sky_task_ids bigint[], source_run_ids bigint[], source_task_ids bigint[], mag0s double precision[]
-- returns: star_id bigint, visit bigint, ccd integer, source_id bigint, is_reserved boolean, is_ambiguous boolean, x_pix double precision, y_pix double precision, x_pix_err real, y_pix_err real, x_y_pix2_cov real, ra double precision, dec double precision, flux_njy double precision, flux_njy_err double precision
-- Frame by frame sources meet their calibrations, then all of them their stars: the frames' number is known, so that the
-- second join is hashed, and in the first the ids of one frame are (a bigint is hashed by the exclusive or of its halves:
-- ids of many frames alone fall together a hundredfold). OFFSET 0: each join is planned by itself.
-- Sources come from the joins nearly in their order: to sort three million by star here, on disk, took longer than all
-- the rest. Whoever reads them sorts them by star.
SELECT m.star_id,
       m.visit,
       m.ccd,
       m.source_id,
       m.is_reserved,
       m.is_ambiguous,
       o.x_pix,
       o.y_pix,
       o.x_pix_err,
       o.y_pix_err,
       o.x_y_pix2_cov,
       o.ra,
       o.dec,
       o.flux_njy,
       o.flux_njy_err
  FROM (SELECT f.visit, f.ccd, b.*
          FROM unnest(CAST(:visits AS bigint[]), CAST(:ccds AS integer[]), CAST(:sky_run_ids AS bigint[]),
                      CAST(:sky_task_ids AS bigint[]), CAST(:source_run_ids AS bigint[]),
                      CAST(:source_task_ids AS bigint[]), CAST(:mag0s AS double precision[]))
            AS f (visit, ccd, sky_run_id, sky_task_id, source_run_id, source_task_id, mag0)
         CROSS JOIN LATERAL (
               SELECT s.source_id, s.x_pix, s.y_pix, s.x_pix_err, s.y_pix_err, s.x_y_pix2_cov, p.ra, p.dec,
                      CASE CAST(:flux AS text)
                          WHEN '' THEN CAST(p.flux_njy AS double precision)
                          WHEN 'psf' THEN s.psf_flux_e * 3631e9 / f.mag0
                          WHEN 'gauss' THEN s.gauss_flux_e * 3631e9 / f.mag0
                          WHEN 'kron' THEN s.kron_flux_e * 3631e9 / f.mag0
                          WHEN 'aper_3_0' THEN s.aper_3_0_flux_e * 3631e9 / f.mag0
                          WHEN 'aper_4_5' THEN s.aper_4_5_flux_e * 3631e9 / f.mag0
                          WHEN 'aper_6_0' THEN s.aper_6_0_flux_e * 3631e9 / f.mag0
                          WHEN 'aper_9_0' THEN s.aper_9_0_flux_e * 3631e9 / f.mag0
                          WHEN 'aper_12_0' THEN s.aper_12_0_flux_e * 3631e9 / f.mag0
                          WHEN 'aper_17_0' THEN s.aper_17_0_flux_e * 3631e9 / f.mag0
                          WHEN 'aper_25_0' THEN s.aper_25_0_flux_e * 3631e9 / f.mag0
                          WHEN 'aper_35_0' THEN s.aper_35_0_flux_e * 3631e9 / f.mag0
                          WHEN 'aper_50_0' THEN s.aper_50_0_flux_e * 3631e9 / f.mag0
                          WHEN 'aper_70_0' THEN s.aper_70_0_flux_e * 3631e9 / f.mag0
                      END AS flux_njy,
                      CASE CAST(:flux AS text)
                          WHEN '' THEN CAST(p.flux_njy_err AS double precision)
                          WHEN 'psf' THEN s.psf_flux_e_err * 3631e9 / f.mag0
                          WHEN 'gauss' THEN s.gauss_flux_e_err * 3631e9 / f.mag0
                          WHEN 'kron' THEN s.kron_flux_e_err * 3631e9 / f.mag0
                          WHEN 'aper_3_0' THEN s.aper_3_0_flux_e_err * 3631e9 / f.mag0
                          WHEN 'aper_4_5' THEN s.aper_4_5_flux_e_err * 3631e9 / f.mag0
                          WHEN 'aper_6_0' THEN s.aper_6_0_flux_e_err * 3631e9 / f.mag0
                          WHEN 'aper_9_0' THEN s.aper_9_0_flux_e_err * 3631e9 / f.mag0
                          WHEN 'aper_12_0' THEN s.aper_12_0_flux_e_err * 3631e9 / f.mag0
                          WHEN 'aper_17_0' THEN s.aper_17_0_flux_e_err * 3631e9 / f.mag0
                          WHEN 'aper_25_0' THEN s.aper_25_0_flux_e_err * 3631e9 / f.mag0
                          WHEN 'aper_35_0' THEN s.aper_35_0_flux_e_err * 3631e9 / f.mag0
                          WHEN 'aper_50_0' THEN s.aper_50_0_flux_e_err * 3631e9 / f.mag0
                          WHEN 'aper_70_0' THEN s.aper_70_0_flux_e_err * 3631e9 / f.mag0
                      END AS flux_njy_err
                 FROM source_sky AS p
                 JOIN source AS s ON s.source_id = p.source_id
                WHERE p.run_id = f.sky_run_id
                  AND p.visit = f.visit
                  AND p.task_id = f.sky_task_id
                  AND s.run_id = f.source_run_id
                  AND s.visit = f.visit
                  AND s.task_id = f.source_task_id
               OFFSET 0) AS b) AS o
  JOIN (SELECT e.star_id, e.visit, e.ccd, e.source_id, st.is_reserved, st.is_ambiguous
          FROM star_member AS e
          JOIN star AS st ON st.task_id = e.task_id AND st.star_id = e.star_id
         WHERE (e.run_id, e.task_id) = (SELECT t.run_id, t.task_id
                                          FROM done_task(CAST(:run_id AS bigint), 'match') AS t
                                         WHERE t.tract = CAST(:tract AS integer) AND t.filter = CAST(:filter AS text))
        OFFSET 0) AS m ON m.visit = o.visit AND m.ccd = o.ccd AND m.source_id = o.source_id
 ORDER BY m.source_id;
