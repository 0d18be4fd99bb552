-- SDSS's names, with its arguments and semantics (its spNearby functions): radii and distances in arcmin, circles and boxes
-- open, nearest first. Objects are stars: objid is star.star_id (unique in a match task, task_id), type 6, and mode 1
-- (primary) in the newest match of their tract and filter, 2 in older ones.
CREATE OR REPLACE FUNCTION fDistanceArcMinEq(
    ra1 double precision, dec1 double precision, ra2 double precision, dec2 double precision
) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT 60.0::float8 * q3c_dist($1, $2, $3, $4) $$;
COMMENT ON FUNCTION fDistanceArcMinEq(double precision, double precision, double precision, double precision)
    IS 'Angle [arcmin] between two directions [deg]';

-- Vectors: x to RA 0, z to the north pole; their length does not count.
CREATE OR REPLACE FUNCTION fDistanceArcMinXYZ(
    nx1 double precision, ny1 double precision, nz1 double precision,
    nx2 double precision, ny2 double precision, nz2 double precision
) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT CASE WHEN ($1 <> 0 OR $2 <> 0 OR $3 <> 0) AND ($4 <> 0 OR $5 <> 0 OR $6 <> 0) THEN
       60.0::float8 * degrees(atan2(sqrt(power($2 * $6 - $3 * $5, 2.0::float8) + power($3 * $4 - $1 * $6, 2.0::float8)
                                         + power($1 * $5 - $2 * $4, 2.0::float8)), $1 * $4 + $2 * $5 + $3 * $6)) END
    $$;
COMMENT ON FUNCTION fDistanceArcMinXYZ(double precision, double precision, double precision,
                                       double precision, double precision, double precision)
    IS 'Angle [arcmin] between two vectors; NULL where one has no length';

CREATE OR REPLACE FUNCTION fGetNearbyObjAllEq(p_ra double precision, p_dec double precision, radius_arcmin double precision)
    RETURNS SETOF sdss_object
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 100
    SET search_path FROM CURRENT
    AS $$
SELECT s.star_id, s.task_id, s.run_id, s.tract, s.filter, 6, s.mode, s.ra, s."dec", njy_to_abmag(s.flux_njy),
       cos(radians(s."dec")) * cos(radians(s.ra)), cos(radians(s."dec")) * sin(radians(s.ra)), sin(radians(s."dec")),
       fDistanceArcMinEq($1, $2, s.ra, s."dec") AS distance
  FROM (SELECT o.*, CASE WHEN EXISTS (SELECT 1 FROM task AS n
                                       WHERE n.stage = 'match' AND n.status = 'done' AND n.tract = o.tract AND n.filter = o.filter
                                         AND n.task_id > o.task_id) THEN 2 ELSE 1 END AS mode
          FROM star AS o
         WHERE sky_join($1, $2, o.ra, o."dec", $3 / 60.0::float8)) AS s
 ORDER BY distance, s.mode, s.task_id DESC, s.star_id
    $$;
COMMENT ON FUNCTION fGetNearbyObjAllEq(double precision, double precision, double precision)
    IS 'Stars of all matches within radius_arcmin [arcmin] of p_ra, p_dec [deg], nearest first; mode 1 in the newest match, else 2; distance [arcmin]';

CREATE OR REPLACE FUNCTION fGetNearbyObjEq(p_ra double precision, p_dec double precision, radius_arcmin double precision)
    RETURNS SETOF sdss_object
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 100
    SET search_path FROM CURRENT
    AS $$
SELECT * FROM fGetNearbyObjAllEq($1, $2, $3) AS n WHERE n.mode = 1 ORDER BY n.distance, n.task_id DESC, n.objid
    $$;
COMMENT ON FUNCTION fGetNearbyObjEq(double precision, double precision, double precision)
    IS 'Stars within radius_arcmin [arcmin] of p_ra, p_dec [deg], nearest first; distance [arcmin]';

CREATE OR REPLACE FUNCTION fGetNearestObjAllEq(p_ra double precision, p_dec double precision, radius_arcmin double precision)
    RETURNS SETOF sdss_object
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
    SET search_path FROM CURRENT
    AS $$
SELECT * FROM fGetNearbyObjAllEq($1, $2, $3) AS n ORDER BY n.distance, n.mode, n.task_id DESC, n.objid LIMIT 1
    $$;
COMMENT ON FUNCTION fGetNearestObjAllEq(double precision, double precision, double precision)
    IS 'The star nearest to p_ra, p_dec [deg] within radius_arcmin [arcmin], of all matches';

CREATE OR REPLACE FUNCTION fGetNearestObjEq(p_ra double precision, p_dec double precision, radius_arcmin double precision)
    RETURNS SETOF sdss_object
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
    SET search_path FROM CURRENT
    AS $$
SELECT * FROM fGetNearbyObjEq($1, $2, $3) AS n ORDER BY n.distance, n.task_id DESC, n.objid LIMIT 1
    $$;
COMMENT ON FUNCTION fGetNearestObjEq(double precision, double precision, double precision)
    IS 'The star nearest to p_ra, p_dec [deg] within radius_arcmin [arcmin]';

CREATE OR REPLACE FUNCTION fGetNearestObjIdEq(p_ra double precision, p_dec double precision, radius_arcmin double precision)
    RETURNS bigint
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path FROM CURRENT
    AS $$ SELECT n.objid FROM fGetNearestObjEq($1, $2, $3) AS n $$;
COMMENT ON FUNCTION fGetNearestObjIdEq(double precision, double precision, double precision)
    IS 'star_id of the star nearest to p_ra, p_dec [deg] within radius_arcmin [arcmin]';

CREATE OR REPLACE FUNCTION fGetNearestObjIdAllEq(p_ra double precision, p_dec double precision, radius_arcmin double precision)
    RETURNS bigint
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path FROM CURRENT
    AS $$ SELECT n.objid FROM fGetNearestObjAllEq($1, $2, $3) AS n $$;
COMMENT ON FUNCTION fGetNearestObjIdAllEq(double precision, double precision, double precision)
    IS 'star_id of the star of any match that is nearest to p_ra, p_dec [deg] within radius_arcmin [arcmin]';

CREATE OR REPLACE FUNCTION fGetNearestObjIdEqType(p_ra double precision, p_dec double precision, radius_arcmin double precision, type integer)
    RETURNS bigint
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path FROM CURRENT
    AS $$ SELECT n.objid FROM fGetNearbyObjEq($1, $2, $3) AS n WHERE n.type = $4 ORDER BY n.distance, n.task_id DESC, n.objid LIMIT 1 $$;
COMMENT ON FUNCTION fGetNearestObjIdEqType(double precision, double precision, double precision, integer)
    IS 'star_id of the star nearest to p_ra, p_dec [deg] within radius_arcmin [arcmin], if its type is asked for: all are stars, 6';

CREATE OR REPLACE FUNCTION fGetNearestObjIdEqMode(p_ra double precision, p_dec double precision, radius_arcmin double precision, mode integer)
    RETURNS bigint
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path FROM CURRENT
    AS $$ SELECT n.objid FROM fGetNearbyObjAllEq($1, $2, $3) AS n WHERE n.mode = $4 ORDER BY n.distance, n.task_id DESC, n.objid LIMIT 1 $$;
COMMENT ON FUNCTION fGetNearestObjIdEqMode(double precision, double precision, double precision, integer)
    IS 'star_id of the star nearest to p_ra, p_dec [deg] within radius_arcmin [arcmin], of mode 1, the newest match, or 2, older ones';

CREATE OR REPLACE FUNCTION fGetNearbyObjXYZ(nx double precision, ny double precision, nz double precision, radius_arcmin double precision)
    RETURNS SETOF sdss_object
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 100
    SET search_path FROM CURRENT
    AS $$
SELECT * FROM fGetNearbyObjEq(sky_ra(degrees(atan2($2, $1))), degrees(atan2($3, sqrt($1 * $1 + $2 * $2))), $4)
 WHERE $1 <> 0 OR $2 <> 0 OR $3 <> 0  -- a vector of no length has no direction
    $$;
COMMENT ON FUNCTION fGetNearbyObjXYZ(double precision, double precision, double precision, double precision)
    IS 'Stars within radius_arcmin [arcmin] of the direction of a vector, nearest first; distance [arcmin]';

CREATE OR REPLACE FUNCTION fGetNearbyObjAllXYZ(nx double precision, ny double precision, nz double precision, radius_arcmin double precision)
    RETURNS SETOF sdss_object
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 100
    SET search_path FROM CURRENT
    AS $$
SELECT * FROM fGetNearbyObjAllEq(sky_ra(degrees(atan2($2, $1))), degrees(atan2($3, sqrt($1 * $1 + $2 * $2))), $4)
 WHERE $1 <> 0 OR $2 <> 0 OR $3 <> 0  -- a vector of no length has no direction
    $$;
COMMENT ON FUNCTION fGetNearbyObjAllXYZ(double precision, double precision, double precision, double precision)
    IS 'Stars of all matches within radius_arcmin [arcmin] of the direction of a vector, nearest first; distance [arcmin]';

CREATE OR REPLACE FUNCTION fGetNearestObjXYZ(nx double precision, ny double precision, nz double precision, radius_arcmin double precision)
    RETURNS SETOF sdss_object
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
    SET search_path FROM CURRENT
    AS $$
SELECT * FROM fGetNearestObjEq(sky_ra(degrees(atan2($2, $1))), degrees(atan2($3, sqrt($1 * $1 + $2 * $2))), $4)
 WHERE $1 <> 0 OR $2 <> 0 OR $3 <> 0  -- a vector of no length has no direction
    $$;
COMMENT ON FUNCTION fGetNearestObjXYZ(double precision, double precision, double precision, double precision)
    IS 'The star nearest to the direction of a vector within radius_arcmin [arcmin]';

CREATE OR REPLACE FUNCTION fGetObjFromRect(ra1 double precision, ra2 double precision, dec1 double precision, dec2 double precision)
    RETURNS TABLE (objid bigint, task_id bigint, run_id bigint, tract integer, filter text, type integer,
                   ra double precision, "dec" double precision, mag double precision,
                   cx double precision, cy double precision, cz double precision)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1000
    SET search_path FROM CURRENT
    AS $$
SELECT s.star_id, s.task_id, s.run_id, s.tract, s.filter, 6, s.ra, s."dec", njy_to_abmag(s.flux_njy),
       cos(radians(s."dec")) * cos(radians(s.ra)), cos(radians(s."dec")) * sin(radians(s.ra)), sin(radians(s."dec"))
  FROM star AS s
 WHERE boxSearch(s.ra, s."dec", $1, CASE WHEN $2 < $1 THEN $2 + 360.0 ELSE $2 END, $3, $4)
   AND s."dec" > $3 AND s."dec" < $4
   AND sky_ra(s.ra - $1) > 0.0::float8 AND sky_ra(s.ra - $1) < $2 - $1 + CASE WHEN $2 < $1 THEN 360.0::float8 ELSE 0.0::float8 END
   AND NOT EXISTS (SELECT 1 FROM task AS n
                    WHERE n.stage = 'match' AND n.status = 'done' AND n.tract = s.tract AND n.filter = s.filter
                      AND n.task_id > s.task_id)
 ORDER BY s.task_id, s.star_id
    $$;
COMMENT ON FUNCTION fGetObjFromRect(double precision, double precision, double precision, double precision)
    IS 'Stars from ra1 eastward to ra2 and from dec1 to dec2 [deg]';

CREATE OR REPLACE FUNCTION fGetObjFromRectEq(ra1 double precision, dec1 double precision, ra2 double precision, dec2 double precision)
    RETURNS TABLE (objid bigint, task_id bigint, run_id bigint, tract integer, filter text, type integer,
                   ra double precision, "dec" double precision, mag double precision,
                   cx double precision, cy double precision, cz double precision)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1000
    SET search_path FROM CURRENT
    AS $$
SELECT * FROM fGetObjFromRect($1, $3, $2, $4)
    $$;
COMMENT ON FUNCTION fGetObjFromRectEq(double precision, double precision, double precision, double precision)
    IS 'fGetObjFromRect with the order of arguments ra1, dec1, ra2, dec2 [deg]';

-- Frames by the newest solution of each, joint ones first. SDSS keeps images of several scales and asks for one by zoom; here
-- every frame is one image, at any zoom. SDSS looks for the nearest within 81 arcmin.
CREATE OR REPLACE FUNCTION fGetNearbyFrameEq(p_ra double precision, p_dec double precision, radius_arcmin double precision, zoom integer DEFAULT 0)
    RETURNS TABLE (fieldid bigint, visit bigint, ccd integer, filter text,
                   ra double precision, "dec" double precision, zoom integer, distance double precision)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 100
    SET search_path FROM CURRENT
    AS $$
SELECT n.visit * 200 + n.ccd, n.visit, n.ccd, v.filter, n.ra, n."dec", $4, fDistanceArcMinEq($1, $2, n.ra, n."dec") AS distance
  FROM (SELECT DISTINCT ON (w.visit, w.ccd) w.visit, w.ccd, w.ra, w."dec"
          FROM wcs_solution AS w
         WHERE sky_join($1, $2, w.ra, w."dec", $3 / 60.0::float8) AND w.status <> 'rejected'
         ORDER BY w.visit, w.ccd, w.stage <> 'mosaic', w.task_id DESC) AS n
  JOIN visit AS v ON v.visit = n.visit
 ORDER BY distance, n.visit, n.ccd
    $$;
COMMENT ON FUNCTION fGetNearbyFrameEq(double precision, double precision, double precision, integer)
    IS 'Frames whose center lies within radius_arcmin [arcmin] of p_ra, p_dec [deg], nearest first, the same at any zoom; fieldid = visit * 200 + ccd; distance [arcmin]';

CREATE OR REPLACE FUNCTION fGetNearestFrameEq(p_ra double precision, p_dec double precision, zoom integer DEFAULT 0)
    RETURNS TABLE (fieldid bigint, visit bigint, ccd integer, filter text,
                   ra double precision, "dec" double precision, zoom integer, distance double precision)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
    SET search_path FROM CURRENT
    AS $$
SELECT * FROM fGetNearbyFrameEq($1, $2, 81.0::float8, $3) AS n ORDER BY n.distance, n.visit, n.ccd LIMIT 1
    $$;
COMMENT ON FUNCTION fGetNearestFrameEq(double precision, double precision, integer)
    IS 'The frame whose center is nearest to p_ra, p_dec [deg], within 81 arcmin, the same at any zoom';

CREATE OR REPLACE FUNCTION fGetNearestFrameidEq(p_ra double precision, p_dec double precision, zoom integer DEFAULT 0)
    RETURNS bigint
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path FROM CURRENT
    AS $$ SELECT n.fieldid FROM fGetNearestFrameEq($1, $2, $3) AS n $$;
COMMENT ON FUNCTION fGetNearestFrameidEq(double precision, double precision, integer)
    IS 'fieldid (visit * 200 + ccd) of the frame whose center is nearest to p_ra, p_dec [deg], within 81 arcmin';
