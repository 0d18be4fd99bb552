-- Q3C's overloads for tables whose ra and dec are real. They search an index on (sky_zone(dec), ra) of such a table: ra
-- is compared as the real it is, all else is computed in double precision. A real knows a place to 0.05".
-- Both arms of the search are those of sky_reach_turn.
CREATE OR REPLACE FUNCTION q3c_ang2ipix(ra real, "dec" real) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT q3c_ang2ipix(CAST($1 AS double precision), CAST($2 AS double precision)) $$;
COMMENT ON FUNCTION q3c_ang2ipix(real, real) IS 'Pixel number of a direction; NULL for NaN';

CREATE OR REPLACE FUNCTION sky_reach(
    ra1 double precision, dec1 double precision, ra2 real, dec2 real, r double precision
) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT (sky_zone($4) = ANY (sky_zones($2, $5 + 1e-9::float8))
        AND $3 >= sky_ra($1) - sky_half_width($2, $5 + 1e-9::float8)
        AND $3 <= sky_ra($1) + sky_half_width($2, $5 + 1e-9::float8))
    OR (sky_zone($4) = ANY (sky_zones($2 + 0.0::float8, $5 + 1e-9::float8))
        AND $3 >= sky_ra($1) + sky_turn($1, $2, $5 + 1e-9::float8) - sky_half_width($2, $5 + 1e-9::float8)
        AND $3 <= sky_ra($1) + sky_turn($1, $2, $5 + 1e-9::float8) + sky_half_width($2, $5 + 1e-9::float8))
    $$;
COMMENT ON FUNCTION sky_reach(double precision, double precision, real, real, double precision)
    IS 'Index condition: (ra2, dec2) of the indexed table may lie within r [deg] of (ra1, dec1)';

CREATE OR REPLACE FUNCTION q3c_join(
    ra1 double precision, dec1 double precision, ra2 real, dec2 real, radius double precision
) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT sky_reach($1, $2, $3, $4, $5)
   AND $5 > 0.0::float8 AND $5 < 'Infinity'::float8
   AND q3c_sindist($1, $2, $3, $4) < power(sky_sine_of_half($5), 2.0::float8)
    $$;
COMMENT ON FUNCTION q3c_join(double precision, double precision, real, real, double precision)
    IS 'Whether two directions are nearer than a radius; ra2, dec2 of the indexed table';

CREATE OR REPLACE FUNCTION q3c_radial_query(
    ra real, "dec" real, ra0 double precision, dec0 double precision, radius double precision
) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT q3c_join($3, $4, $1, $2, $5) $$;
COMMENT ON FUNCTION q3c_radial_query(real, real, double precision, double precision, double precision)
    IS 'Whether ra, dec of the indexed table lie in a cone about (ra0, dec0)';

CREATE OR REPLACE FUNCTION q3c_ellipse_join(
    ra1 double precision, dec1 double precision, ra2 real, dec2 real,
    semimajor double precision, axis_ratio double precision, pa double precision
) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT sky_reach($1, $2, $3, $4, least($5, 90.0::float8)) AND q3c_in_ellipse($3, $4, $1, $2, $5, $6, $7)
    $$;
COMMENT ON FUNCTION q3c_ellipse_join(double precision, double precision, real, real,
                                     double precision, double precision, double precision)
    IS 'Whether ra2, dec2 of the indexed table lie in an ellipse about (ra1, dec1)';

CREATE OR REPLACE FUNCTION q3c_ellipse_query(
    ra real, "dec" real, ra0 double precision, dec0 double precision,
    semimajor double precision, axis_ratio double precision, pa double precision
) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT q3c_ellipse_join($3, $4, $1, $2, $5, $6, $7) $$;
COMMENT ON FUNCTION q3c_ellipse_query(real, real, double precision, double precision,
                                      double precision, double precision, double precision)
    IS 'Whether ra, dec of the indexed table lie in an ellipse about (ra0, dec0)';

CREATE OR REPLACE FUNCTION q3c_poly_query(ra real, "dec" real, poly double precision[]) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT sky_reach((sky_polygon($3))[1], (sky_polygon($3))[2], $1, $2, (sky_polygon($3))[3])
   AND sky_in_polygon($1, $2, sky_polygon($3))
    $$;
COMMENT ON FUNCTION q3c_poly_query(real, real, double precision[])
    IS 'Whether ra, dec of the indexed table lie in a constant polygon {ra1, dec1, ...}';

CREATE OR REPLACE FUNCTION q3c_poly_query(ra real, "dec" real, poly polygon) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT q3c_poly_query($1, $2, sky_vertices($3)) $$;
COMMENT ON FUNCTION q3c_poly_query(real, real, polygon)
    IS 'Whether ra, dec of the indexed table lie in a constant polygon';
