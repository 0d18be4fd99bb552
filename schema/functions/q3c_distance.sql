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
CREATE OR REPLACE FUNCTION sky_moved_ra(
    ra double precision, "dec" double precision, pm_ra double precision, pm_dec double precision, cosdec_flag integer,
    epoch1 double precision, epoch2 double precision
) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT $1 + CASE WHEN $3 + $4 + $6 + $7 IS NULL THEN 0.0::float8
                 WHEN $5 = 0 THEN $3 * ($7 - $6) / 3.6e6::float8
                 WHEN abs($2) < 'Infinity'::float8 THEN $3 * ($7 - $6) / 3.6e6::float8 / cos(radians($2))
                 ELSE $2 * 0.0::float8 END
    $$;
COMMENT ON FUNCTION sky_moved_ra(double precision, double precision, double precision, double precision, integer,
                                 double precision, double precision)
    IS 'Right ascension at epoch2, by Q3C''s linear motion';

CREATE OR REPLACE FUNCTION sky_moved_dec(
    "dec" double precision, pm_ra double precision, pm_dec double precision, epoch1 double precision, epoch2 double precision
) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT $1 + CASE WHEN $2 + $3 + $4 + $5 IS NULL THEN 0.0::float8 ELSE $3 * ($5 - $4) / 3.6e6::float8 END $$;
COMMENT ON FUNCTION sky_moved_dec(double precision, double precision, double precision, double precision, double precision)
    IS 'Declination at epoch2, by Q3C''s linear motion';

-- The formula of sky_sindist stands here again: a function that uses its arguments more than once is inlined only if they
-- are short, and a call that is not takes 10 us for each pair that q3c_join_pm looks at.
CREATE OR REPLACE FUNCTION q3c_sindist_pm(
    ra1 double precision, dec1 double precision, pm_ra1 double precision, pm_dec1 double precision,
    cosdec_flag integer, epoch1 double precision, ra2 double precision, dec2 double precision, epoch2 double precision
) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT CASE WHEN (sky_moved_ra($1, $2, $3, $4, $5, $6, $9) + sky_moved_dec($2, $3, $4, $6, $9) + $7 + $8) * 0.0::float8 = 0.0::float8
            THEN power(sin(radians($7 - sky_moved_ra($1, $2, $3, $4, $5, $6, $9)) / 2.0::float8), 2.0::float8)
                 * cos(radians(sky_moved_dec($2, $3, $4, $6, $9))) * cos(radians($8))
                 + power(sin(radians(sky_moved_dec($2, $3, $4, $6, $9) - $8) / 2.0::float8), 2.0::float8)
            ELSE (sky_moved_ra($1, $2, $3, $4, $5, $6, $9) + sky_moved_dec($2, $3, $4, $6, $9) + $7 + $8) * 0.0::float8 END
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
SELECT q3c_dist(sky_moved_ra($1, $2, $3, $4, $5, $6, $9), sky_moved_dec($2, $3, $4, $6, $9), $7, $8)
    $$;
COMMENT ON FUNCTION q3c_dist_pm(double precision, double precision, double precision, double precision, integer,
                                double precision, double precision, double precision, double precision)
    IS 'Angle after moving the first direction to epoch2';
