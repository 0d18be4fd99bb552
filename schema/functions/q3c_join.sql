-- Q3C's searches. In a join the columns of the indexed table come last, in a cone search they come first. The circle is
-- open: a point exactly on it is outside, and a radius of zero or less matches nothing. RA may be written in [0, 360] or
-- from -180 to 180 (that of the first direction in any way); what is infinite or NaN matches nothing.
CREATE OR REPLACE FUNCTION q3c_join(
    ra1 double precision, dec1 double precision, ra2 double precision, dec2 double precision, radius double precision
) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT sky_reach_turn($1, $2, $3, $4, $5)
   AND $5 > 0.0::float8 AND $5 < 'Infinity'::float8
   AND q3c_sindist($1, $2, $3, $4) < power(sky_sine_of_half($5), 2.0::float8)
    $$;
COMMENT ON FUNCTION q3c_join(double precision, double precision, double precision, double precision, double precision)
    IS 'Whether two directions are nearer than a radius; ra2, dec2 of the table with an index on (sky_zone(dec), ra)';

CREATE OR REPLACE FUNCTION q3c_radial_query(
    ra double precision, "dec" double precision, ra0 double precision, dec0 double precision, radius double precision
) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT q3c_join($3, $4, $1, $2, $5) $$;
COMMENT ON FUNCTION q3c_radial_query(double precision, double precision, double precision, double precision, double precision)
    IS 'Whether ra, dec of the table with an index on (sky_zone(dec), ra) lie in a cone about (ra0, dec0)';

CREATE OR REPLACE FUNCTION sky_check_motion(cosdec_flag integer, max_epoch_delta double precision, radius double precision)
    RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 1
    AS $$
BEGIN
    IF cosdec_flag IS NULL OR radius IS NULL THEN
        RAISE 'q3c_join_pm: cosdec_flag and radius must not be NULL' USING ERRCODE = '22004';
    ELSIF max_epoch_delta < 0.0 THEN
        RAISE 'q3c_join_pm: max_epoch_delta is % (needed: 0 or more)', max_epoch_delta USING ERRCODE = '22023';
    END IF;
    RETURN true;
END
    $$;
COMMENT ON FUNCTION sky_check_motion(integer, double precision, double precision)
    IS 'True, or an error where Q3C gives one: a flag or a radius of NULL, a negative difference of epochs';

-- The search is widened by |pm_ra| + |pm_dec| (not their hypotenuse, which a motion away from a pole can exceed) times
-- the largest difference of epochs.
CREATE OR REPLACE FUNCTION q3c_join_pm(
    ra1 double precision, dec1 double precision, pm_ra1 double precision, pm_dec1 double precision,
    cosdec_flag integer, epoch1 double precision, ra2 double precision, dec2 double precision, epoch2 double precision,
    max_epoch_delta double precision, radius double precision
) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT sky_check_motion($5, $10, $11)
   AND sky_reach_turn($1, $2, $7, $8, $11 + (COALESCE(abs($3), 0.0::float8) + COALESCE(abs($4), 0.0::float8)) * $10 / 3.6e6::float8)
   AND $11 > 0.0::float8 AND $11 < 'Infinity'::float8
   AND q3c_sindist_pm($1, $2, $3, $4, $5, $6, $7, $8, $9) < power(sky_sine_of_half($11), 2.0::float8)
    $$;
COMMENT ON FUNCTION q3c_join_pm(double precision, double precision, double precision, double precision, integer,
                                double precision, double precision, double precision, double precision,
                                double precision, double precision)
    IS 'q3c_join with the first direction moved to epoch2; max_epoch_delta must be at least the largest |epoch2 - epoch1|';
