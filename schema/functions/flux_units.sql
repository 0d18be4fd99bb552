-- Fluxes in nJy and AB magnitudes. A magnitude of what is not positive is NULL.
CREATE OR REPLACE FUNCTION njy_to_abmag(flux_njy double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT CASE WHEN $1 > 0.0::float8 AND $1 < 'Infinity'::float8 THEN 2.5::float8 * log(3631e9::float8 / $1) END $$;
COMMENT ON FUNCTION njy_to_abmag(double precision) IS 'AB magnitude [mag] of a flux [nJy]; NULL unless the flux is positive';

CREATE OR REPLACE FUNCTION njy_to_abmag_err(flux_njy double precision, flux_njy_err double precision)
    RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT CASE WHEN $1 > 0.0::float8 AND $1 < 'Infinity'::float8 THEN 2.5::float8 / ln(10.0::float8) * NULLIF($2, 'NaN') / $1 END
    $$;
COMMENT ON FUNCTION njy_to_abmag_err(double precision, double precision)
    IS 'One sigma [mag] of the AB magnitude of a flux [nJy] and its one sigma [nJy]';

CREATE OR REPLACE FUNCTION abmag_to_njy(mag double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT 3631e9::float8 * power(10.0::float8, -0.4::float8 * $1) $$;
COMMENT ON FUNCTION abmag_to_njy(double precision) IS 'Flux [nJy] of an AB magnitude [mag]';

-- Lupton, Gunn & Szalay 1999: finite for every flux; softening is the flux below which it is linear, e.g. one sigma.
CREATE OR REPLACE FUNCTION njy_to_asinhmag(flux_njy double precision, softening_njy double precision)
    RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT -2.5::float8 / ln(10.0::float8) * (asinh($1 / (2.0::float8 * $2)) + ln($2 / 3631e9::float8))
    $$;
COMMENT ON FUNCTION njy_to_asinhmag(double precision, double precision)
    IS 'Inverse hyperbolic sine magnitude [mag] of a flux [nJy] with a softening [nJy]';
