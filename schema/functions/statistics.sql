-- HSC-SSP's aggregates. NULL is left out; of no rows the answer is NULL. Moments are updated row by row about the mean so
-- far (Pebay 2008), so that a large mean costs no digits.
CREATE OR REPLACE FUNCTION sky_add_moment(state double precision[], x double precision) RETURNS double precision[]
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
DECLARE
    n  double precision := state[1] + 1.0;
    d  double precision := (x - state[2]) / n;
    t  double precision := (x - state[2]) * d * state[1];
BEGIN
    RETURN ARRAY[n, state[2] + d, state[3] + t,
                 state[4] + t * d * (n - 2.0) - 3.0 * d * state[3],
                 state[5] + t * d * d * (n * n - 3.0 * n + 3.0) + 6.0 * d * d * state[3] - 4.0 * d * state[4]];
END
    $$;
COMMENT ON FUNCTION sky_add_moment(double precision[], double precision) IS 'One more number in {n, mean, M2, M3, M4}';

CREATE OR REPLACE FUNCTION sky_skewness(state double precision[]) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT CASE WHEN $1[3] > 0.0 THEN sqrt($1[1]) * $1[4] / power($1[3], 1.5::float8) END $$;
COMMENT ON FUNCTION sky_skewness(double precision[]) IS 'Skewness of {n, mean, M2, M3, M4}';

CREATE OR REPLACE FUNCTION sky_kurtosis(state double precision[]) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT CASE WHEN $1[3] > 0.0 THEN $1[1] * $1[5] / ($1[3] * $1[3]) - 3.0 END $$;
COMMENT ON FUNCTION sky_kurtosis(double precision[]) IS 'Excess kurtosis of {n, mean, M2, M3, M4}';

CREATE OR REPLACE AGGREGATE skewness(double precision) (
    SFUNC = sky_add_moment, STYPE = double precision[], INITCOND = '{0,0,0,0,0}', FINALFUNC = sky_skewness, PARALLEL = SAFE);
COMMENT ON AGGREGATE skewness(double precision) IS 'Skewness: third moment about the mean over sigma^3';
CREATE OR REPLACE AGGREGATE kurtosis(double precision) (
    SFUNC = sky_add_moment, STYPE = double precision[], INITCOND = '{0,0,0,0,0}', FINALFUNC = sky_kurtosis, PARALLEL = SAFE);
COMMENT ON AGGREGATE kurtosis(double precision) IS 'Excess kurtosis: fourth moment about the mean over sigma^4, less 3';

-- {n, sum of weights, weighted mean, weighted sum of squares about it} (West 1979).
CREATE OR REPLACE FUNCTION sky_add_weighted(state double precision[], x double precision, w double precision)
    RETURNS double precision[]
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
DECLARE
    total double precision := state[2] + w;
BEGIN
    IF NOT w > 0.0 OR w = 'NaN' OR x = 'NaN' THEN
        RETURN state;
    END IF;
    RETURN ARRAY[state[1] + 1.0, total, state[3] + (x - state[3]) * w / total,
                 state[4] + w * state[2] / total * (x - state[3]) * (x - state[3])];
END
    $$;
COMMENT ON FUNCTION sky_add_weighted(double precision[], double precision, double precision)
    IS 'One more number in {n, sum of weights, mean, sum of squares}; a weight that is not positive does not count';

CREATE OR REPLACE FUNCTION sky_add_measured(state double precision[], x double precision, stddev double precision)
    RETURNS double precision[]
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT sky_add_weighted($1, $2, CASE WHEN $3 > 0.0::float8 THEN 1.0::float8 / ($3 * $3) ELSE 0.0::float8 END) $$;
COMMENT ON FUNCTION sky_add_measured(double precision[], double precision, double precision) IS 'sky_add_weighted with weight 1/stddev^2';

CREATE OR REPLACE FUNCTION sky_weighted_mean(state double precision[]) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT CASE WHEN $1[1] > 0.0 THEN $1[3] END $$;
COMMENT ON FUNCTION sky_weighted_mean(double precision[]) IS 'Mean of {n, sum of weights, mean, sum of squares}';

CREATE OR REPLACE FUNCTION sky_chi2(state double precision[]) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT CASE WHEN $1[1] > 1.0 THEN $1[4] / ($1[1] - 1.0) END $$;
COMMENT ON FUNCTION sky_chi2(double precision[]) IS 'Chi-square per degree of freedom of {n, sum of weights, mean, sum of squares}';

CREATE OR REPLACE AGGREGATE weighted_mean(double precision, double precision) (
    SFUNC = sky_add_weighted, STYPE = double precision[], INITCOND = '{0,0,0,0}', FINALFUNC = sky_weighted_mean, PARALLEL = SAFE);
COMMENT ON AGGREGATE weighted_mean(double precision, double precision) IS 'weighted_mean(number, weight); rows without a positive weight do not count';
CREATE OR REPLACE AGGREGATE avg(double precision, double precision) (
    SFUNC = sky_add_measured, STYPE = double precision[], INITCOND = '{0,0,0,0}', FINALFUNC = sky_weighted_mean, PARALLEL = SAFE);
COMMENT ON AGGREGATE avg(double precision, double precision) IS 'avg(number, stddev): mean with weights 1/stddev^2';
CREATE OR REPLACE AGGREGATE chi2_per_freedom(double precision, double precision) (
    SFUNC = sky_add_measured, STYPE = double precision[], INITCOND = '{0,0,0,0}', FINALFUNC = sky_chi2, PARALLEL = SAFE);
COMMENT ON AGGREGATE chi2_per_freedom(double precision, double precision)
    IS 'chi2_per_freedom(number, stddev): sum of ((number - mean) / stddev)^2 over n - 1; NULL of fewer than two rows';

-- A part of a table, the same in each query: by a hash of the id.
CREATE OR REPLACE FUNCTION sample(id bigint, percent double precision) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT (hashint8extended($1, 20261121) & 4294967295) < CAST(least(greatest(NULLIF($2, 'NaN'), 0.0::float8), 100.0::float8) * 42949672.96::float8 AS bigint) $$;
COMMENT ON FUNCTION sample(bigint, double precision) IS 'Whether an id is one of a random part [percent] of all; smaller parts lie in larger ones';
