-- Functions of C by the names of HSC-SSP (its extension cmath), which end no statement: what C answers with NaN or infinity
-- they do, where PostgreSQL's own raise an error. Those whose name ends with f take and give real.
CREATE OR REPLACE FUNCTION c_isfinite(x double precision) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT $1 > '-Infinity'::float8 AND $1 < 'Infinity'::float8 $$;
COMMENT ON FUNCTION c_isfinite(double precision) IS 'Whether a number is neither NaN nor infinite';

CREATE OR REPLACE FUNCTION c_isinf(x double precision) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT abs($1) = 'Infinity'::float8 $$;
COMMENT ON FUNCTION c_isinf(double precision) IS 'Whether a number is infinite';

CREATE OR REPLACE FUNCTION c_isnan(x double precision) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT $1 = 'NaN'::float8 $$;
COMMENT ON FUNCTION c_isnan(double precision) IS 'Whether a number is NaN';

-- The largest double is exp(709.7827128), the smallest exp(-744.44), and half of that is rounded to 0.
CREATE OR REPLACE FUNCTION sky_of_log(is_negative boolean, l double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT CASE WHEN $1 THEN -1.0::float8 ELSE 1.0::float8 END
       * CASE WHEN $2 > 709.7827128::float8 THEN 'Infinity'::float8 WHEN $2 < -745.13::float8 THEN 0.0::float8
              WHEN $2 < -744.0::float8 THEN 4.94e-324::float8 ELSE exp($2) END
    $$;
COMMENT ON FUNCTION sky_of_log(boolean, double precision) IS 'The number of a sign and natural logarithm; infinite, or 0, beyond doubles';

CREATE OR REPLACE FUNCTION sky_as_real(x double precision) RETURNS real
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT CASE WHEN c_isfinite($1) AND abs($1) >= 3.4028235677973366e38::float8 THEN sign($1)::real * 'Infinity'::real
            WHEN abs($1) <= 7.006492321624085e-46::float8 THEN 0.0::real
            ELSE CAST($1 AS real) END
    $$;
COMMENT ON FUNCTION sky_as_real(double precision) IS 'A number as real; infinite, or 0, beyond what reals hold';

CREATE OR REPLACE FUNCTION c_multiply(x double precision, y double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT CASE WHEN $1 = 0.0::float8 OR $2 = 0.0::float8 OR NOT c_isfinite($1) OR NOT c_isfinite($2) THEN $1 * $2
            WHEN ln(abs($1)) + ln(abs($2)) BETWEEN -744.0::float8 AND 709.78::float8 THEN $1 * $2
            ELSE sky_of_log(sign($1) <> sign($2), ln(abs($1)) + ln(abs($2))) END
    $$;
COMMENT ON FUNCTION c_multiply(double precision, double precision) IS 'x times y; infinite, or 0, beyond what doubles hold';

-- The sign of a zero is that of its angle to the negative axis.
CREATE OR REPLACE FUNCTION c_divide(x double precision, y double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT CASE WHEN $2 = 0.0::float8 THEN CASE WHEN $1 = 0.0::float8 OR $1 = 'NaN'::float8 THEN 'NaN'::float8
                                            ELSE sign($1) * sign(atan2($2, -1.0::float8)) * 'Infinity'::float8 END
            WHEN $1 = 0.0::float8 OR NOT c_isfinite($1) OR NOT c_isfinite($2) THEN $1 / $2
            WHEN ln(abs($1)) - ln(abs($2)) BETWEEN -744.0::float8 AND 709.78::float8 THEN $1 / $2
            ELSE sky_of_log(sign($1) <> sign($2), ln(abs($1)) - ln(abs($2))) END
    $$;
COMMENT ON FUNCTION c_divide(double precision, double precision) IS 'x over y; infinite for y = 0 (NaN if x is 0, too), and 0 or infinite beyond what doubles hold';

CREATE OR REPLACE FUNCTION c_sqrt(x double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT CASE WHEN $1 < 0.0::float8 THEN 'NaN'::float8 ELSE sqrt($1) END $$;
COMMENT ON FUNCTION c_sqrt(double precision) IS 'Square root; NaN of a negative number';

CREATE OR REPLACE FUNCTION c_exp(x double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT CASE WHEN $1 BETWEEN -744.0::float8 AND 709.78::float8 OR NOT c_isfinite($1) THEN exp($1) ELSE sky_of_log(false, $1) END $$;
COMMENT ON FUNCTION c_exp(double precision) IS 'e to the x; infinite, or 0, beyond what doubles hold';

CREATE OR REPLACE FUNCTION c_log(x double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT CASE WHEN $1 > 0.0::float8 THEN ln($1) WHEN $1 = 0.0::float8 THEN '-Infinity'::float8 WHEN $1 < 0.0::float8 THEN 'NaN'::float8 END $$;
COMMENT ON FUNCTION c_log(double precision) IS 'Natural logarithm; -infinity of 0, NaN of a negative number';

CREATE OR REPLACE FUNCTION c_log10(x double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT CASE WHEN $1 > 0.0::float8 THEN log($1) WHEN $1 = 0.0::float8 THEN '-Infinity'::float8 WHEN $1 < 0.0::float8 THEN 'NaN'::float8 END $$;
COMMENT ON FUNCTION c_log10(double precision) IS 'Decimal logarithm; -infinity of 0, NaN of a negative number';

CREATE OR REPLACE FUNCTION sky_is_odd(x double precision) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT c_isfinite($1) AND floor($1) = $1 AND floor(floor($1) / 2.0::float8) * 2.0::float8 <> $1 $$;
COMMENT ON FUNCTION sky_is_odd(double precision) IS 'Whether a number is whole and odd';

CREATE OR REPLACE FUNCTION c_pow(x double precision, y double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT CASE WHEN $2 = 0.0::float8 OR $1 = 1.0::float8 THEN 1.0::float8
            WHEN $1 = 'NaN'::float8 OR $2 = 'NaN'::float8 THEN 'NaN'::float8
            WHEN $1 = 0.0::float8 THEN CASE WHEN sky_is_odd($2)
                                            THEN sign(atan2($1, -1.0::float8)) ELSE 1.0::float8 END
                                       * CASE WHEN $2 < 0.0::float8 THEN 'Infinity'::float8 ELSE 0.0::float8 END
            WHEN $1 < 0.0::float8 AND c_isfinite($2) AND floor($2) <> $2
                 THEN CASE WHEN c_isfinite($1) THEN 'NaN'::float8 WHEN $2 > 0.0::float8 THEN 'Infinity'::float8 ELSE 0.0::float8 END
            WHEN NOT c_isfinite($1) OR NOT c_isfinite($2)
                 OR c_multiply($2, ln(abs($1))) BETWEEN -744.0::float8 AND 709.78::float8 THEN power($1, $2)
            ELSE sky_of_log($1 < 0.0::float8 AND sky_is_odd($2), c_multiply($2, ln(abs($1)))) END
    $$;
COMMENT ON FUNCTION c_pow(double precision, double precision) IS 'x to the y; NaN for a negative x and an y that is not whole, infinite, or 0, beyond what doubles hold';

CREATE OR REPLACE FUNCTION c_sin(x double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT CASE WHEN c_isinf($1) THEN 'NaN'::float8 ELSE sin($1) END $$;
COMMENT ON FUNCTION c_sin(double precision) IS 'Sine of an angle [rad]; NaN of infinity';

CREATE OR REPLACE FUNCTION c_cos(x double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT CASE WHEN c_isinf($1) THEN 'NaN'::float8 ELSE cos($1) END $$;
COMMENT ON FUNCTION c_cos(double precision) IS 'Cosine of an angle [rad]; NaN of infinity';

CREATE OR REPLACE FUNCTION c_sqrtf(x real) RETURNS real
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT sky_as_real(c_sqrt($1)) $$;
COMMENT ON FUNCTION c_sqrtf(real) IS 'c_sqrt of a real';

CREATE OR REPLACE FUNCTION c_log10f(x real) RETURNS real
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT sky_as_real(c_log10($1)) $$;
COMMENT ON FUNCTION c_log10f(real) IS 'c_log10 of a real';

CREATE OR REPLACE FUNCTION c_powf(x real, y real) RETURNS real
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT sky_as_real(c_pow($1, $2)) $$;
COMMENT ON FUNCTION c_powf(real, real) IS 'c_pow of reals';
