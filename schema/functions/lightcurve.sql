-- Every detection of a star, in time. By the joint solution where there is one (star_residual), else by the first
-- calibration of its frame (source_sky). Planned once a session: planning costs as much as a search does, and more where
-- there are many partitions; those that hold nothing are left out as it runs.
CREATE OR REPLACE FUNCTION lightcurve(p_match_task_id bigint, p_star_id bigint)
    RETURNS TABLE (star_id bigint, visit bigint, ccd integer, source_id bigint, filter text, obs_start timestamptz,
                   obs_mjd double precision, ra double precision, "dec" double precision, mag double precision,
                   mag_err double precision, is_joint boolean, is_used boolean)
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 100
    SET search_path FROM CURRENT SET plan_cache_mode = force_generic_plan
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
WITH about AS MATERIALIZED (
    -- what is the same for all detections is looked up once
    SELECT t.task_id, t.run_id,
           (SELECT n.task_id
              FROM task AS n
             WHERE n.stage = 'mosaic' AND n.status = 'done' AND n.tract = t.tract AND n.filter = t.filter
               AND t.run_id IN (SELECT c.run_id FROM run_chain(n.run_id) AS c)
             ORDER BY n.task_id DESC LIMIT 1) AS mosaic_task_id
      FROM task AS t
     WHERE t.task_id = $1
), chain AS MATERIALIZED (
    SELECT c.run_id, c.depth FROM about AS a CROSS JOIN LATERAL run_chain(a.run_id) AS c
)
SELECT m.star_id, m.visit, m.ccd, m.source_id, v.filter, v.obs_start, CAST(v.obs_mjd AS double precision),
       CAST(COALESCE(r.ra, s.ra) AS double precision), CAST(COALESCE(r."dec", s."dec") AS double precision),
       CAST(COALESCE(r.mag, njy_to_abmag(s.flux_njy)) AS double precision),
       CAST(COALESCE(r.mag_err, njy_to_abmag_err(s.flux_njy, s.flux_njy_err)) AS double precision),
       r.mag IS NOT NULL, r.is_used_photometry
  FROM about AS a
  JOIN star_member AS m ON m.task_id = $1 AND m.star_id = $2 AND m.run_id = a.run_id
  JOIN visit AS v ON v.visit = m.visit
  LEFT JOIN LATERAL (SELECT * FROM star_residual AS n
                      WHERE n.task_id = a.mosaic_task_id AND n.star_id = m.star_id AND n.source_id = m.source_id) AS r ON true
  -- OFFSET 0: by the whole key of one run after the other, never by a part of it in all partitions
  LEFT JOIN LATERAL (SELECT p.*
                       FROM chain AS c
                      CROSS JOIN LATERAL (SELECT * FROM source_sky AS k
                                           WHERE k.run_id = c.run_id AND k.visit = m.visit AND k.source_id = m.source_id
                                          OFFSET 0) AS p
                      ORDER BY c.depth LIMIT 1) AS s ON true
 ORDER BY v.obs_mjd, m.visit, m.ccd;
END
    $$;
COMMENT ON FUNCTION lightcurve(bigint, bigint)
    IS 'Every detection of a star (star.task_id, star.star_id) in time: place [deg], AB magnitude [mag]';

CREATE OR REPLACE FUNCTION lightcurve(
    p_ra double precision, p_dec double precision, radius_arcsec double precision DEFAULT 1.0, p_run text DEFAULT NULL
)
    RETURNS TABLE (star_id bigint, visit bigint, ccd integer, source_id bigint, filter text, obs_start timestamptz,
                   obs_mjd double precision, ra double precision, "dec" double precision, mag double precision,
                   mag_err double precision, is_joint boolean, is_used boolean)
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 100
    SET search_path FROM CURRENT SET plan_cache_mode = force_generic_plan
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
SELECT l.*
  FROM (SELECT DISTINCT ON (n.filter) n.task_id, n.star_id
          FROM (SELECT s.task_id, s.star_id, s.filter, s.run_id, sky_sindist($1, $2, s.ra, s."dec") AS far
                  FROM star AS s
                 WHERE coneSearch(s.ra, s."dec", $1, $2, $3)) AS n
         WHERE $4 IS NULL
            OR n.run_id IN (SELECT c.run_id FROM run AS r CROSS JOIN LATERAL run_chain(r.run_id) AS c WHERE r.name = $4)
         ORDER BY n.filter, n.run_id DESC, n.far, n.task_id DESC, n.star_id) AS n
 CROSS JOIN LATERAL lightcurve(n.task_id, n.star_id) AS l
 ORDER BY l.obs_mjd, l.visit, l.ccd;
END
    $$;
COMMENT ON FUNCTION lightcurve(double precision, double precision, double precision, text)
    IS 'Every detection, in all filters, of the star nearest to p_ra, p_dec [deg] within radius_arcsec [arcsec], of a run or of the newest';
