-- SDSS's names; radii in arcmin, distances too. Objects are the stars of the newest match of each tract and filter.
CREATE OR REPLACE FUNCTION fDistanceArcMinEq(
    ra1 double precision, dec1 double precision, ra2 double precision, dec2 double precision
) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT 60.0::float8 * q3c_dist($1, $2, $3, $4) $$;
COMMENT ON FUNCTION fDistanceArcMinEq(double precision, double precision, double precision, double precision)
    IS 'Angle [arcmin] between two directions [deg]';

CREATE OR REPLACE FUNCTION fGetNearbyObjEq(p_ra double precision, p_dec double precision, radius_arcmin double precision)
    RETURNS TABLE (star_id bigint, task_id bigint, run_id bigint, tract integer, filter text, ra double precision,
                   "dec" double precision, mag double precision, distance double precision)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 100
    SET search_path FROM CURRENT
    AS $$
SELECT s.star_id, s.task_id, s.run_id, s.tract, s.filter, s.ra, s."dec", njy_to_abmag(s.flux_njy),
       fDistanceArcMinEq($1, $2, s.ra, s."dec") AS distance
  FROM star AS s
 WHERE coneSearch(s.ra, s."dec", $1, $2, 60.0 * $3)
   AND NOT EXISTS (SELECT 1 FROM task AS n JOIN task AS t ON t.task_id = s.task_id
                    WHERE n.stage = 'match' AND n.status = 'done' AND n.tract = s.tract AND n.filter = s.filter
                      AND n.task_id > s.task_id)
 ORDER BY distance, s.task_id, s.star_id
    $$;
COMMENT ON FUNCTION fGetNearbyObjEq(double precision, double precision, double precision)
    IS 'Stars within radius_arcmin [arcmin] of p_ra, p_dec [deg], nearest first; distance [arcmin]';

CREATE OR REPLACE FUNCTION fGetNearestObjEq(p_ra double precision, p_dec double precision, radius_arcmin double precision)
    RETURNS TABLE (star_id bigint, task_id bigint, run_id bigint, tract integer, filter text, ra double precision,
                   "dec" double precision, mag double precision, distance double precision)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
    SET search_path FROM CURRENT
    AS $$ SELECT * FROM fGetNearbyObjEq($1, $2, $3) AS n ORDER BY n.distance, n.task_id, n.star_id LIMIT 1 $$;
COMMENT ON FUNCTION fGetNearestObjEq(double precision, double precision, double precision)
    IS 'The star nearest to p_ra, p_dec [deg] within radius_arcmin [arcmin]';

CREATE OR REPLACE FUNCTION fGetNearestObjIdEq(p_ra double precision, p_dec double precision, radius_arcmin double precision)
    RETURNS bigint
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path FROM CURRENT
    AS $$ SELECT n.star_id FROM fGetNearestObjEq($1, $2, $3) AS n $$;
COMMENT ON FUNCTION fGetNearestObjIdEq(double precision, double precision, double precision)
    IS 'star_id of the star nearest to p_ra, p_dec [deg] within radius_arcmin [arcmin]';

CREATE OR REPLACE FUNCTION fGetObjFromRect(
    ra1 double precision, ra2 double precision, dec1 double precision, dec2 double precision
)
    RETURNS TABLE (star_id bigint, task_id bigint, run_id bigint, tract integer, filter text, ra double precision,
                   "dec" double precision, mag double precision)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1000
    SET search_path FROM CURRENT
    AS $$
SELECT s.star_id, s.task_id, s.run_id, s.tract, s.filter, s.ra, s."dec", njy_to_abmag(s.flux_njy)
  FROM star AS s
 WHERE boxSearch(s.ra, s."dec", $1, CASE WHEN $2 < $1 THEN $2 + 360.0 ELSE $2 END, $3, $4)
   AND NOT EXISTS (SELECT 1 FROM task AS n
                    WHERE n.stage = 'match' AND n.status = 'done' AND n.tract = s.tract AND n.filter = s.filter
                      AND n.task_id > s.task_id)
 ORDER BY s.task_id, s.star_id
    $$;
COMMENT ON FUNCTION fGetObjFromRect(double precision, double precision, double precision, double precision)
    IS 'Stars from ra1 eastward to ra2 and between dec1 and dec2 [deg]';

CREATE OR REPLACE FUNCTION fGetObjFromRectEq(
    ra1 double precision, dec1 double precision, ra2 double precision, dec2 double precision
)
    RETURNS TABLE (star_id bigint, task_id bigint, run_id bigint, tract integer, filter text, ra double precision,
                   "dec" double precision, mag double precision)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1000
    SET search_path FROM CURRENT
    AS $$ SELECT * FROM fGetObjFromRect($1, $3, $2, $4) $$;
COMMENT ON FUNCTION fGetObjFromRectEq(double precision, double precision, double precision, double precision)
    IS 'fGetObjFromRect with the order of arguments ra1, dec1, ra2, dec2';

CREATE OR REPLACE FUNCTION fGetNearbyFrameEq(p_ra double precision, p_dec double precision, radius_arcmin double precision)
    RETURNS TABLE (visit bigint, ccd integer, filter text, ra double precision, "dec" double precision, distance double precision)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 100
    SET search_path FROM CURRENT
    AS $$
SELECT n.visit, n.ccd, v.filter, n.ra, n."dec", fDistanceArcMinEq($1, $2, n.ra, n."dec") AS distance
  FROM (SELECT DISTINCT ON (w.visit, w.ccd) w.visit, w.ccd, w.ra, w."dec"
          FROM wcs_solution AS w
         WHERE coneSearch(w.ra, w."dec", $1, $2, 60.0 * $3)
         ORDER BY w.visit, w.ccd, w.stage <> 'mosaic', w.task_id DESC) AS n
  JOIN visit AS v ON v.visit = n.visit
 ORDER BY distance, n.visit, n.ccd
    $$;
COMMENT ON FUNCTION fGetNearbyFrameEq(double precision, double precision, double precision)
    IS 'Frames whose center lies within radius_arcmin [arcmin] of p_ra, p_dec [deg], nearest first';

-- The same by unit vectors (nx to RA 0, nz to the north pole); their length does not count.
CREATE OR REPLACE FUNCTION fDistanceArcMinXYZ(
    nx1 double precision, ny1 double precision, nz1 double precision,
    nx2 double precision, ny2 double precision, nz2 double precision
) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT 60.0::float8 * degrees(atan2(sqrt(power($2 * $6 - $3 * $5, 2.0::float8) + power($3 * $4 - $1 * $6, 2.0::float8)
                                         + power($1 * $5 - $2 * $4, 2.0::float8)), $1 * $4 + $2 * $5 + $3 * $6))
    $$;
COMMENT ON FUNCTION fDistanceArcMinXYZ(double precision, double precision, double precision,
                                       double precision, double precision, double precision)
    IS 'Angle [arcmin] between two vectors';

CREATE OR REPLACE FUNCTION fGetNearbyObjXYZ(nx double precision, ny double precision, nz double precision,
                                            radius_arcmin double precision)
    RETURNS TABLE (star_id bigint, task_id bigint, run_id bigint, tract integer, filter text, ra double precision,
                   "dec" double precision, mag double precision, distance double precision)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 100
    SET search_path FROM CURRENT
    AS $$ SELECT * FROM fGetNearbyObjEq(sky_ra(degrees(atan2($2, $1))), degrees(atan2($3, sqrt($1 * $1 + $2 * $2))), $4) $$;
COMMENT ON FUNCTION fGetNearbyObjXYZ(double precision, double precision, double precision, double precision)
    IS 'Stars within radius_arcmin [arcmin] of the direction of a vector, nearest first; distance [arcmin]';

CREATE OR REPLACE FUNCTION fGetNearestObjXYZ(nx double precision, ny double precision, nz double precision,
                                             radius_arcmin double precision)
    RETURNS TABLE (star_id bigint, task_id bigint, run_id bigint, tract integer, filter text, ra double precision,
                   "dec" double precision, mag double precision, distance double precision)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
    SET search_path FROM CURRENT
    AS $$ SELECT * FROM fGetNearestObjEq(sky_ra(degrees(atan2($2, $1))), degrees(atan2($3, sqrt($1 * $1 + $2 * $2))), $4) $$;
COMMENT ON FUNCTION fGetNearestObjXYZ(double precision, double precision, double precision, double precision)
    IS 'The star nearest to the direction of a vector within radius_arcmin [arcmin]';

CREATE OR REPLACE FUNCTION fGetNearestFrameEq(p_ra double precision, p_dec double precision, radius_arcmin double precision DEFAULT 60)
    RETURNS TABLE (visit bigint, ccd integer, filter text, ra double precision, "dec" double precision, distance double precision)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
    SET search_path FROM CURRENT
    AS $$ SELECT * FROM fGetNearbyFrameEq($1, $2, $3) AS n ORDER BY n.distance, n.visit, n.ccd LIMIT 1 $$;
COMMENT ON FUNCTION fGetNearestFrameEq(double precision, double precision, double precision)
    IS 'The frame whose center is nearest to p_ra, p_dec [deg], within radius_arcmin [arcmin]';
