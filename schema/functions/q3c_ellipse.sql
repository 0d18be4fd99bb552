-- Q3C's ellipses: in the tangent plane of the center, X^2 + Y^2 / ratio^2 < tan^2(semimajor), X along the position angle
-- (north through east). Open, like the circle; a ratio above 1 matches nothing, nor does a NaN or an infinite argument.
CREATE OR REPLACE FUNCTION q3c_in_ellipse(
    ra double precision, "dec" double precision, ra0 double precision, dec0 double precision,
    semimajor double precision, axis_ratio double precision, pa double precision
) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT CASE WHEN ($1 + $2 + $3 + $4 + $5 + $6 + $7) * 0.0::float8 <> 0.0::float8 THEN false
            WHEN $1 + $2 + $3 + $4 + $5 + $6 + $7 IS NOT NULL THEN
       $5 > 0.0::float8
   AND $6 <= 1.0::float8
   AND sin(radians($2)) * sin(radians($4)) + cos(radians($2)) * cos(radians($4)) * cos(radians($1 - $3)) > 0.0::float8
   AND power($6 * (cos(radians($2)) * sin(radians($1 - $3)) * sin(radians($7))
                   + (sin(radians($2 - $4)) + 2.0::float8 * sin(radians($4)) * cos(radians($2))
                      * power(sin(radians($1 - $3) / 2.0::float8), 2.0::float8)) * cos(radians($7))), 2.0::float8)
       + power(cos(radians($2)) * sin(radians($1 - $3)) * cos(radians($7))
               - (sin(radians($2 - $4)) + 2.0::float8 * sin(radians($4)) * cos(radians($2))
                  * power(sin(radians($1 - $3) / 2.0::float8), 2.0::float8)) * sin(radians($7)), 2.0::float8)
       < power($6 * tan(radians($5)) * (sin(radians($2)) * sin(radians($4))
                                        + cos(radians($2)) * cos(radians($4)) * cos(radians($1 - $3))), 2.0::float8)
       END
    $$;
COMMENT ON FUNCTION q3c_in_ellipse(double precision, double precision, double precision, double precision,
                                   double precision, double precision, double precision)
    IS 'Whether (ra, dec) lies in an ellipse about (ra0, dec0)';

CREATE OR REPLACE FUNCTION q3c_ellipse_join(
    ra1 double precision, dec1 double precision, ra2 double precision, dec2 double precision,
    semimajor double precision, axis_ratio double precision, pa double precision
) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT sky_reach_turn($1, $2, $3, $4, least($5, 90.0::float8)) AND q3c_in_ellipse($3, $4, $1, $2, $5, $6, $7)
    $$;
COMMENT ON FUNCTION q3c_ellipse_join(double precision, double precision, double precision, double precision,
                                     double precision, double precision, double precision)
    IS 'Whether ra2, dec2 of the indexed table lie in an ellipse about (ra1, dec1)';

CREATE OR REPLACE FUNCTION q3c_ellipse_query(
    ra double precision, "dec" double precision, ra0 double precision, dec0 double precision,
    semimajor double precision, axis_ratio double precision, pa double precision
) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT q3c_ellipse_join($3, $4, $1, $2, $5, $6, $7) $$;
COMMENT ON FUNCTION q3c_ellipse_query(double precision, double precision, double precision, double precision,
                                      double precision, double precision, double precision)
    IS 'Whether ra, dec of the indexed table lie in an ellipse about (ra0, dec0)';
