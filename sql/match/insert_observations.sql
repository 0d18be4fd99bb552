-- Point-like sources of the frames that are bright, clean and among the brightest of their cell of pixels.
-- Runs and visits are given, not joined, so that only their partitions are opened.
-- params:  sky_run_ids bigint[], source_run_ids bigint[], visits bigint[], bad_flags bigint, snr_min double precision,
--          snr_max double precision, extendedness_max double precision, cell_pix double precision, n_per_cell integer,
--          is_per_frame boolean, side double precision
-- returns: count
-- needs:   match/replace_work
WITH seen AS MATERIALIZED (
    -- by task alone, which says run, visit and CCD too: conditions that say the same again make the planner expect one
    -- row, and then look through a whole frame for each detection of it
    SELECT f.visit, f.ccd, f.obs_mjd, f.source_task_id, p.source_id, p.ra, p.dec, p.flux_njy, p.flux_njy_err,
           p.sky_flags
      FROM match_frame AS f
      JOIN source_sky AS p
        ON p.task_id = f.sky_task_id
       AND p.run_id = ANY (CAST(:sky_run_ids AS bigint[]))
       AND p.visit = ANY (CAST(:visits AS bigint[]))
)
INSERT INTO match_observation (number, source_id, visit, ccd, epoch, ra, dec, x, y, z, flux_njy, snr, obs_mjd, cell)
SELECT k.number,
       k.source_id,
       k.visit,
       k.ccd,
       CASE WHEN CAST(:is_per_frame AS boolean) THEN k.visit * 200 + k.ccd ELSE k.visit END,
       k.ra,
       k.dec,
       k.x,
       k.y,
       k.z,
       k.flux_njy,
       k.snr,
       k.obs_mjd,
       match_cell(k.x, k.y, k.z, CAST(:side AS double precision))
  FROM (SELECT p.source_id,
               p.visit,
               p.ccd,
               p.obs_mjd,
               p.ra,
               p.dec,
               p.flux_njy,
               COALESCE(p.flux_njy / NULLIF(p.flux_njy_err, 0), 0) AS snr,
               cos(radians(p.dec)) * cos(radians(p.ra)) AS x,
               cos(radians(p.dec)) * sin(radians(p.ra)) AS y,
               sin(radians(p.dec)) AS z,
               row_number() OVER (PARTITION BY p.visit, p.ccd, floor(s.x_pix / :cell_pix), floor(s.y_pix / :cell_pix)
                                      ORDER BY p.flux_njy DESC NULLS LAST, p.source_id) AS place,
               -- by the same order, so that one sort does for both
               row_number() OVER (ORDER BY p.visit, p.ccd, floor(s.x_pix / :cell_pix), floor(s.y_pix / :cell_pix),
                                           p.flux_njy DESC NULLS LAST, p.source_id) AS number
          FROM seen AS p
          JOIN source AS s
            -- the whole key, so that the worst plan is one look into the index per row; with ccd, because a hash of
            -- source_id without it has few different codes; the task not by its index
            ON s.source_id = p.source_id
           AND s.visit = p.visit
           AND s.ccd = p.ccd
           AND s.task_id + 0 = p.source_task_id
           AND s.run_id = ANY (CAST(:source_run_ids AS bigint[]))
           AND s.visit = ANY (CAST(:visits AS bigint[]))
         WHERE (s.flags | p.sky_flags) & CAST(:bad_flags AS bigint) = 0
           AND s.n_child = 0
           AND (s.extendedness IS NULL OR s.extendedness < CAST(:extendedness_max AS double precision))
           AND (p.flux_njy IS NULL OR p.flux_njy > 0)
           AND (p.flux_njy_err IS NULL OR p.flux_njy_err = 0
                OR p.flux_njy / p.flux_njy_err BETWEEN CAST(:snr_min AS double precision)
                                                   AND CAST(:snr_max AS double precision))) AS k
 WHERE k.place <= CAST(:n_per_cell AS integer);
