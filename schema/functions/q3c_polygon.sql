-- Q3C's polygons, by those of sky_polygon.sql; Q3C's own may be 23 deg across.
CREATE OR REPLACE FUNCTION q3c_in_poly(ra double precision, "dec" double precision, poly double precision[])
    RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT sky_in_polygon($1, $2, sky_polygon($3)) $$;
COMMENT ON FUNCTION q3c_in_poly(double precision, double precision, double precision[])
    IS 'Whether (ra, dec) lies in a polygon {ra1, dec1, ...}';

-- With a constant polygon, sky_polygon is computed once, while planning.
CREATE OR REPLACE FUNCTION q3c_poly_query(ra double precision, "dec" double precision, poly double precision[])
    RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT sky_reach_turn((sky_polygon($3))[1], (sky_polygon($3))[2], $1, $2, (sky_polygon($3))[3])
   AND sky_in_polygon($1, $2, sky_polygon($3))
    $$;
COMMENT ON FUNCTION q3c_poly_query(double precision, double precision, double precision[])
    IS 'Whether ra, dec of the indexed table lie in a constant polygon {ra1, dec1, ...}';

CREATE OR REPLACE FUNCTION q3c_in_poly(ra double precision, "dec" double precision, poly polygon) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT q3c_in_poly($1, $2, sky_vertices($3)) $$;
COMMENT ON FUNCTION q3c_in_poly(double precision, double precision, polygon) IS 'Whether (ra, dec) lies in a polygon';

CREATE OR REPLACE FUNCTION q3c_poly_query(ra double precision, "dec" double precision, poly polygon) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT q3c_poly_query($1, $2, sky_vertices($3)) $$;
COMMENT ON FUNCTION q3c_poly_query(double precision, double precision, polygon)
    IS 'Whether ra, dec of the indexed table lie in a constant polygon';
