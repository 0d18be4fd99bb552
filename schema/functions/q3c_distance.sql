-- Q3C's distances, all in degrees; proper motions in mas/yr, epochs in years. Where an argument is infinite or NaN the
-- answer is NaN: that times 0 is NaN, too, while the sine of infinity would end the statement.
CREATE OR REPLACE FUNCTION q3c_version() RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT 'hscdb, plain SQL, as Q3C 2.0.5'::text $$;
COMMENT ON FUNCTION q3c_version() IS 'Whose q3c_ functions these are';

CREATE OR REPLACE FUNCTION q3c_sindist(
    ra1 double precision, dec1 double precision, ra2 double precision, dec2 double precision
) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT CASE WHEN ($1 + $2 + $3 + $4) * 0.0::float8 = 0.0::float8 THEN sky_sindist($1, $2, $3, $4)
            ELSE ($1 + $2 + $3 + $4) * 0.0::float8 END
    $$;
COMMENT ON FUNCTION q3c_sindist(double precision, double precision, double precision, double precision)
    IS 'Squared sine of half the angle between two directions';

-- Vincenty's form, with the cancelling difference of its second leg written as sin(d2 - d1) + 2 sin d1 cos d2 sin^2(h).
CREATE OR REPLACE FUNCTION q3c_dist(
    ra1 double precision, dec1 double precision, ra2 double precision, dec2 double precision
) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT CASE WHEN ($1 + $2 + $3 + $4) * 0.0::float8 = 0.0::float8 THEN degrees(atan2(
           sqrt(power(cos(radians($4)) * sin(radians($3 - $1)), 2.0::float8)
                + power(sin(radians($4 - $2)) + 2.0::float8 * sin(radians($2)) * cos(radians($4))
                        * power(sin(radians($3 - $1) / 2.0::float8), 2.0::float8), 2.0::float8)),
           sin(radians($2)) * sin(radians($4)) + cos(radians($2)) * cos(radians($4)) * cos(radians($3 - $1))))
            ELSE ($1 + $2 + $3 + $4) * 0.0::float8 END
    $$;
COMMENT ON FUNCTION q3c_dist(double precision, double precision, double precision, double precision)
    IS 'Angle between two directions';

-- Linear motion, as in Q3C: ra and dec grow with time; flag 1 says that pm_ra is already multiplied by cos(dec). A NULL
-- among motions and epochs is no motion.
CREATE OR REPLACE FUNCTION q3c_sindist_pm(
    ra1 double precision, dec1 double precision, pm_ra1 double precision, pm_dec1 double precision,
    cosdec_flag integer, epoch1 double precision, ra2 double precision, dec2 double precision, epoch2 double precision
) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT q3c_sindist(
           $1 + CASE WHEN $3 + $4 + $6 + $9 IS NULL THEN 0.0::float8
                     WHEN $5 <> 0 THEN $3 * ($9 - $6) / 3.6e6::float8 / CASE WHEN abs($2) < 'Infinity' THEN cos(radians($2)) ELSE $2 * 0.0::float8 END
                     ELSE $3 * ($9 - $6) / 3.6e6::float8 END,
           $2 + CASE WHEN $3 + $4 + $6 + $9 IS NULL THEN 0.0::float8 ELSE $4 * ($9 - $6) / 3.6e6::float8 END,
           $7, $8)
    $$;
COMMENT ON FUNCTION q3c_sindist_pm(double precision, double precision, double precision, double precision, integer,
                                   double precision, double precision, double precision, double precision)
    IS 'Squared sine of half the angle, after moving the first direction to epoch2';

CREATE OR REPLACE FUNCTION q3c_dist_pm(
    ra1 double precision, dec1 double precision, pm_ra1 double precision, pm_dec1 double precision,
    cosdec_flag integer, epoch1 double precision, ra2 double precision, dec2 double precision, epoch2 double precision
) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT q3c_dist(
           $1 + CASE WHEN $3 + $4 + $6 + $9 IS NULL THEN 0.0::float8
                     WHEN $5 <> 0 THEN $3 * ($9 - $6) / 3.6e6::float8 / CASE WHEN abs($2) < 'Infinity' THEN cos(radians($2)) ELSE $2 * 0.0::float8 END
                     ELSE $3 * ($9 - $6) / 3.6e6::float8 END,
           $2 + CASE WHEN $3 + $4 + $6 + $9 IS NULL THEN 0.0::float8 ELSE $4 * ($9 - $6) / 3.6e6::float8 END,
           $7, $8)
    $$;
COMMENT ON FUNCTION q3c_dist_pm(double precision, double precision, double precision, double precision, integer,
                                double precision, double precision, double precision, double precision)
    IS 'Angle after moving the first direction to epoch2';
