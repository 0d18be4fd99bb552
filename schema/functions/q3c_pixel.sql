-- Q3C's coarser pixels: depth d joins 2^d x 2^d base pixels, 1 to 30; 30 is a face of the cube.
CREATE OR REPLACE FUNCTION sky_check_pixel(ipix bigint, depth integer) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
BEGIN
    IF depth < 1 OR depth > 30 THEN
        RAISE 'depth: % (found) is not from 1 to 30', depth USING ERRCODE = '22023';
    ELSIF ipix < 0 OR ipix >> 60 > 5 THEN
        RAISE 'Invalid ipix value' USING ERRCODE = '22023';
    END IF;
END
    $$;
COMMENT ON FUNCTION sky_check_pixel(bigint, integer) IS 'An error unless pixel and depth are ones of Q3C';

-- In the plane of a face (-1 to 1) the sky has the density s^(-3/2), s = 1 + x^2 + y^2, whose integral is
-- atan(x y / sqrt(s)). Where its four corners would cancel, the density in the middle, with its curvature, is as exact
-- as 1e-12: a term of fourth order in the width, below 2^-8, is left out.
CREATE OR REPLACE FUNCTION q3c_pixarea(ipix bigint, depth integer) RETURNS double precision
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
DECLARE
    n_cell bigint;
    cell   bigint;
    w      double precision;
    x      double precision;
    y      double precision;
    s      double precision;
BEGIN
    PERFORM sky_check_pixel(ipix, depth);
    n_cell := CAST(1 AS bigint) << depth;
    cell := ipix & 1152921504606846975;
    w := 2.0::float8 * n_cell / 1073741824.0::float8;
    x := (sky_gather_bits(cell) / n_cell) * w - 1.0::float8;
    y := (sky_gather_bits(cell >> 1) / n_cell) * w - 1.0::float8;
    IF depth <= 21 THEN
        x := x + w / 2.0::float8;
        y := y + w / 2.0::float8;
        s := 1.0::float8 + x * x + y * y;
        RETURN w * w / (s * sqrt(s))
               * (1.0::float8 + w * w / 24.0::float8 * (9.0::float8 * (s - 1.0::float8) - 6.0::float8) / (s * s));
    END IF;
    RETURN atan((x + w) * (y + w) / sqrt(1.0::float8 + (x + w) * (x + w) + (y + w) * (y + w)))
         - atan(x * (y + w) / sqrt(1.0::float8 + x * x + (y + w) * (y + w)))
         - atan((x + w) * y / sqrt(1.0::float8 + (x + w) * (x + w) + y * y))
         + atan(x * y / sqrt(1.0::float8 + x * x + y * y));
END
    $$;
COMMENT ON FUNCTION q3c_pixarea(bigint, integer) IS 'Solid angle [sr] of the pixel of a depth that holds a base pixel';

CREATE OR REPLACE FUNCTION q3c_ipixcenter(ra double precision, "dec" double precision, depth integer) RETURNS bigint
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
DECLARE
    n_base bigint := CAST(1 AS bigint) << (2 * depth);
    ipix   bigint := q3c_ang2ipix(ra, "dec");
BEGIN
    PERFORM sky_check_pixel(ipix, depth);
    RETURN ipix / n_base * n_base + n_base / 4 - 1;
END
    $$;
COMMENT ON FUNCTION q3c_ipixcenter(double precision, double precision, integer)
    IS 'Base pixel nearest to the center of the pixel of a depth that holds a direction: a key for density maps';
