-- Which images cover a place. Frames are found by the sky index on their centers, bounded by the largest frame there is,
-- and then by their own WCS, so that the answer holds to the pixel.
CREATE OR REPLACE FUNCTION ccd_search(ra double precision, "dec" double precision, margin_pix double precision DEFAULT 0)
    RETURNS TABLE (visit bigint, ccd integer, filter text, obs_mjd double precision, x_pix double precision,
                   y_pix double precision, run_id bigint, stage text, tract integer, path text)
    LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 20
    -- planned once a session: planning costs three times what a search does
    SET search_path FROM CURRENT SET plan_cache_mode = force_generic_plan
    AS $$
#variable_conflict use_column
DECLARE
    reach double precision := (SELECT w.radius_deg FROM wcs_solution AS w ORDER BY w.radius_deg DESC LIMIT 1);
    ra0   double precision := ra;
    dec0  double precision := "dec";
BEGIN
    RETURN QUERY
    WITH near AS MATERIALIZED (
        SELECT w AS solution, w.visit, w.ccd, w.task_id, w.run_id, w.stage, w.tract, w.radius_deg, w.ra, w."dec"
          FROM wcs_solution AS w
         WHERE sky_reach(ra0, dec0, w.ra, w."dec", reach * 1.0001 + 0.0001)
           AND w.status <> 'rejected'
    ), newest AS (
        SELECT DISTINCT ON (n.visit, n.ccd) n.*
          FROM near AS n
         WHERE sky_sindist(ra0, dec0, n.ra, n."dec")
               <= power(sin(radians(n.radius_deg * 1.0001 + 0.0001 + abs(margin_pix) * n.radius_deg / 500.0) / 2.0), 2)
         ORDER BY n.visit, n.ccd, n.stage <> 'mosaic', n.task_id DESC
    )
    SELECT n.visit, n.ccd, v.filter, CAST(v.obs_mjd AS double precision), p.x, p.y, n.run_id, n.stage, n.tract, f.path
      FROM newest AS n
      JOIN frame AS f ON f.visit = n.visit AND f.ccd = n.ccd
      JOIN visit AS v ON v.visit = n.visit
     CROSS JOIN LATERAL sky_to_frame(n.solution, ra0, dec0) AS p
     WHERE p.x BETWEEN -0.5 - margin_pix AND f.width_pix - 0.5 + margin_pix
       AND p.y BETWEEN -0.5 - margin_pix AND f.height_pix - 0.5 + margin_pix
     ORDER BY n.visit, n.ccd;
END
    $$;
COMMENT ON FUNCTION ccd_search(double precision, double precision, double precision)
    IS 'The frames that cover a direction [deg], with the pixel it falls on (from 0) by the newest solution of each, joint ones first; margin_pix widens or narrows them';

CREATE OR REPLACE FUNCTION visit_search(ra double precision, "dec" double precision)
    RETURNS TABLE (visit bigint, filter text, obs_mjd double precision, n_ccd bigint)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 20
    SET search_path FROM CURRENT
    AS $$
SELECT s.visit, s.filter, s.obs_mjd, count(*)
  FROM ccd_search($1, $2) AS s
 GROUP BY s.visit, s.filter, s.obs_mjd
 ORDER BY s.visit
    $$;
COMMENT ON FUNCTION visit_search(double precision, double precision) IS 'The visits of which a CCD covers a direction [deg]';

CREATE OR REPLACE FUNCTION tract_wcs(t tract) RETURNS coaddwcs
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT CAST(ROW(($1).width_pix, ($1).height_pix, ($1).crpix1_pix + 1.0::float8, ($1).crpix2_pix + 1.0::float8,
                ($1).ra, ($1)."dec", ($1).pixel_scale_arcsec / 3600.0::float8) AS coaddwcs)
    $$;
COMMENT ON FUNCTION tract_wcs(tract) IS 'Projection of a tract';

CREATE OR REPLACE FUNCTION patch_search(ra double precision, "dec" double precision)
    RETURNS TABLE (skymap text, tract integer, patch_x integer, patch_y integer, x_pix double precision,
                   y_pix double precision, is_inner boolean)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 5
    SET search_path FROM CURRENT
    AS $$
SELECT p.skymap, p.tract, p.patch_x, p.patch_y, g.x, g.y,
       g.x >= p.inner_x0_pix - 0.5 AND g.x < p.inner_x1_pix + 0.5
       AND g.y >= p.inner_y0_pix - 0.5 AND g.y < p.inner_y1_pix + 0.5
  FROM tract AS t
 CROSS JOIN LATERAL sky_to_pixel(tract_wcs(t), $1, $2) AS g
  JOIN patch AS p ON p.skymap = t.skymap AND p.tract = t.tract
 WHERE g.x >= p.outer_x0_pix - 0.5 AND g.x < p.outer_x1_pix + 0.5
   AND g.y >= p.outer_y0_pix - 0.5 AND g.y < p.outer_y1_pix + 0.5
   AND g.x BETWEEN -0.5 AND t.width_pix - 0.5
   AND g.y BETWEEN -0.5 AND t.height_pix - 0.5
 ORDER BY 7 DESC, 1, 2, 4, 3
    $$;
COMMENT ON FUNCTION patch_search(double precision, double precision)
    IS 'The patches that hold a direction [deg], those that hold it inside their border first';
