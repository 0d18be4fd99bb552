-- HEALPix numbers (Gorski et al. 2005, ApJ 622, 759), order 0 to 29, with the names of the virtual observatory.
CREATE OR REPLACE FUNCTION sky_check_order(pixel_order integer) RETURNS bigint
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
BEGIN
    IF pixel_order < 0 OR pixel_order > 29 THEN
        RAISE 'HEALPix: order % (0 to 29 are possible)', pixel_order USING ERRCODE = '22023';
    END IF;
    RETURN CAST(1 AS bigint) << pixel_order;
END
    $$;
COMMENT ON FUNCTION sky_check_order(integer) IS 'Pixels along a side of a HEALPix face: 2^order';

CREATE OR REPLACE FUNCTION healpix_nest(pixel_order integer, ra double precision, "dec" double precision) RETURNS bigint
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
DECLARE
    nside bigint := sky_check_order(pixel_order);
    z     double precision;
    t     double precision := sky_ra(ra) / 90.0;
    part  double precision;
    s     double precision;
    i     bigint;
    j     bigint;
    face  bigint;
BEGIN
    IF NOT (ra > '-Infinity' AND ra < 'Infinity' AND "dec" BETWEEN -90.0 AND 90.0) THEN
        RETURN NULL;
    END IF;
    z := sin(radians("dec"));
    t := CASE WHEN t >= 4.0 THEN 0.0 ELSE t END;
    IF abs(z) <= 2.0::float8 / 3.0::float8 THEN
        i := CAST(floor(nside * (0.5 + t - z * 0.75)) AS bigint);  -- number of the ascending edge line
        j := CAST(floor(nside * (0.5 + t + z * 0.75)) AS bigint);  -- and of the descending one
        face := CASE WHEN i / nside = j / nside THEN (i / nside) % 4 + 4
                     WHEN i / nside < j / nside THEN (i / nside) % 4
                     ELSE (j / nside) % 4 + 8 END;
        RETURN face * nside * nside + sky_spread_bits(j % nside) + 2 * sky_spread_bits(nside - 1 - i % nside);
    END IF;
    part := t - floor(t);
    -- sqrt(3 (1 - |z|)), by the half angle: near a pole 1 - |z| has no digits left.
    s := nside * sqrt(6.0::float8) * sin(radians((90.0 - abs("dec")) / 2.0));
    i := least(CAST(floor(part * s) AS bigint), nside - 1);
    j := least(CAST(floor((1.0 - part) * s) AS bigint), nside - 1);
    IF z > 0.0 THEN
        RETURN CAST(floor(t) AS bigint) * nside * nside + sky_spread_bits(nside - 1 - j) + 2 * sky_spread_bits(nside - 1 - i);
    END IF;
    RETURN (CAST(floor(t) AS bigint) + 8) * nside * nside + sky_spread_bits(i) + 2 * sky_spread_bits(j);
END
    $$;
COMMENT ON FUNCTION healpix_nest(integer, double precision, double precision)
    IS 'Number of the HEALPix pixel, nested, of an order that holds a direction [deg]; NULL for NaN';

-- Distance along the face's diagonals from the middle of the sky: the place of a pixel in the plane of the twelve faces.
CREATE OR REPLACE FUNCTION healpix_center(pixel_order integer, pixel bigint) RETURNS skycoord
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
DECLARE
    nside bigint := sky_check_order(pixel_order);
    face  integer := pixel / (nside * nside);
    i     bigint := sky_gather_bits(pixel % (nside * nside));
    j     bigint := sky_gather_bits((pixel % (nside * nside)) >> 1);
    ring  bigint;
    n     bigint;
    shift integer;
    found skycoord;
    t     bigint;
BEGIN
    IF pixel < 0 OR face > 11 THEN
        RAISE 'HEALPix: no pixel % at order %', pixel, pixel_order USING ERRCODE = '22023';
    END IF;
    ring := (2 + face / 4) * nside - i - j - 1;
    IF ring < nside THEN
        n := ring;
        shift := 0;
        found."dec" := 90.0 - degrees(2.0 * asin(n / (nside * sqrt(6.0::float8))));
    ELSIF ring > 3 * nside THEN
        n := 4 * nside - ring;
        shift := 0;
        found."dec" := degrees(2.0 * asin(n / (nside * sqrt(6.0::float8)))) - 90.0;
    ELSE
        n := nside;
        shift := (ring - nside) % 2;
        found."dec" := degrees(asin((2 * nside - ring) * 2.0 / (3.0 * nside)));
    END IF;
    -- Number on the ring from 1, of 4 n: twice the diamond's column plus the offset along it.
    t := ((CASE WHEN face / 4 = 1 THEN 2 * (face % 4) ELSE 2 * (face % 4) + 1 END) * n + i - j + 1 + shift) / 2;
    t := CASE WHEN t > 4 * n THEN t - 4 * n WHEN t < 1 THEN t + 4 * n ELSE t END;
    found.ra := (t - (shift + 1) * 0.5) * 90.0 / n;
    RETURN found;
END
    $$;
COMMENT ON FUNCTION healpix_center(integer, bigint) IS 'Center [deg] of a HEALPix pixel, nested, of an order';

CREATE OR REPLACE FUNCTION healpix_ring(pixel_order integer, ra double precision, "dec" double precision) RETURNS bigint
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
DECLARE
    nside bigint := sky_check_order(pixel_order);
    z     double precision;
    t     double precision := sky_ra(ra) / 90.0;
    part  double precision;
    s     double precision;
    i     bigint;
    j     bigint;
    n     bigint;
BEGIN
    IF NOT (ra > '-Infinity' AND ra < 'Infinity' AND "dec" BETWEEN -90.0 AND 90.0) THEN
        RETURN NULL;
    END IF;
    z := sin(radians("dec"));
    t := CASE WHEN t >= 4.0 THEN 0.0 ELSE t END;
    IF abs(z) <= 2.0::float8 / 3.0::float8 THEN
        i := CAST(floor(nside * (0.5 + t - z * 0.75)) AS bigint);
        j := CAST(floor(nside * (0.5 + t + z * 0.75)) AS bigint);
        n := nside + 1 + i - j;
        RETURN 2 * nside * (nside - 1) + (n - 1) * 4 * nside + mod((i + j - nside + (n + 1) % 2 + 1) / 2 + 4 * nside, 4 * nside);
    END IF;
    part := t - floor(t);
    s := nside * sqrt(6.0::float8) * sin(radians((90.0 - abs("dec")) / 2.0));
    i := CAST(floor(part * s) AS bigint);
    j := CAST(floor((1.0 - part) * s) AS bigint);
    n := least(i + j + 1, nside);
    i := least(CAST(floor(t * n) AS bigint), 4 * n - 1);
    RETURN CASE WHEN z > 0.0 THEN 2 * n * (n - 1) + i ELSE 12 * nside * nside - 2 * n * (n + 1) + i END;
END
    $$;
COMMENT ON FUNCTION healpix_ring(integer, double precision, double precision)
    IS 'Number of the HEALPix pixel, in rings, of an order that holds a direction [deg]; NULL for NaN';

CREATE OR REPLACE FUNCTION ivo_healpix_index(pixel_order integer, ra double precision, "dec" double precision) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT healpix_nest($1, $2, $3) $$;
COMMENT ON FUNCTION ivo_healpix_index(integer, double precision, double precision) IS 'Number of the HEALPix pixel, nested, of an order that holds a direction [deg] (the name of the virtual observatory)';

CREATE OR REPLACE FUNCTION ivo_healpix_center(pixel bigint, pixel_order integer) RETURNS skycoord
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT healpix_center($2, $1) $$;
COMMENT ON FUNCTION ivo_healpix_center(bigint, integer) IS 'Center [deg] of a HEALPix pixel, nested, of an order (the name of the virtual observatory)';
