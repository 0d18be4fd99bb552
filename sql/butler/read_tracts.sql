-- The tracts of the sky map that a run, or the nearest of those it builds on, has made.
-- params:  run_id bigint
-- returns: skymap text, tract integer, ra double precision, dec double precision, crpix1_pix double precision,
--          crpix2_pix double precision, pixel_scale_arcsec double precision, n_patch_x integer, n_patch_y integer,
--          width_pix integer, height_pix integer, corner_ra double precision[], corner_dec double precision[]
SELECT t.skymap,
       t.tract,
       t.ra,
       t.dec,
       t.crpix1_pix,
       t.crpix2_pix,
       t.pixel_scale_arcsec,
       t.n_patch_x,
       t.n_patch_y,
       t.width_pix,
       t.height_pix,
       t.corner_ra,
       t.corner_dec
  FROM tract AS t
 WHERE t.skymap = (SELECT l.skymap
                     FROM done_task(:run_id, 'skymap') AS m
                     JOIN frame_tract AS l ON l.task_id = m.task_id
                    ORDER BY m.task_id DESC
                    LIMIT 1)
 ORDER BY t.tract;
