-- Q3C's searches. In a join the columns of the indexed table come last, in a cone search they come first. The circle is
-- open: a point exactly on it is outside, and a radius of zero or less matches nothing.
CREATE OR REPLACE FUNCTION q3c_join(
    ra1 double precision, dec1 double precision, ra2 double precision, dec2 double precision, radius double precision
) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT sky_join($1, $2, $3, $4, $5)
    $$;
COMMENT ON FUNCTION q3c_join(double precision, double precision, double precision, double precision, double precision)
    IS 'Whether two directions are nearer than a radius; ra2, dec2 of the indexed table';

CREATE OR REPLACE FUNCTION q3c_radial_query(
    ra double precision, "dec" double precision, ra0 double precision, dec0 double precision, radius double precision
) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT sky_join($3, $4, $1, $2, $5)
    $$;
COMMENT ON FUNCTION q3c_radial_query(double precision, double precision, double precision, double precision, double precision)
    IS 'Whether ra, dec of the indexed table lie in a cone about (ra0, dec0)';

-- The search is widened by |pm_ra| + |pm_dec| (not their hypotenuse, which a motion away from a pole can exceed) times
-- the largest difference of epochs.
CREATE OR REPLACE FUNCTION q3c_join_pm(
    ra1 double precision, dec1 double precision, pm_ra1 double precision, pm_dec1 double precision,
    cosdec_flag integer, epoch1 double precision, ra2 double precision, dec2 double precision, epoch2 double precision,
    max_epoch_delta double precision, radius double precision
) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT sky_reach($1, $2, $7, $8, $11 + (COALESCE(abs($3), 0.0::float8) + COALESCE(abs($4), 0.0::float8)) * $10 / 3.6e6::float8)
   AND $11 > 0.0::float8 AND $11 < 'Infinity'::float8
   AND q3c_sindist_pm($1, $2, $3, $4, $5, $6, $7, $8, $9) < power(sin(radians($11) / 2.0::float8), 2.0::float8)
    $$;
COMMENT ON FUNCTION q3c_join_pm(double precision, double precision, double precision, double precision, integer,
                                double precision, double precision, double precision, double precision,
                                double precision, double precision)
    IS 'q3c_join with the first direction moved to epoch2; max_epoch_delta must be at least the largest |epoch2 - epoch1|';
