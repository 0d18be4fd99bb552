-- Q3C's pixel numbers (hscdb/sky/ipix.py has the same for arrays): for export and for queries written for Q3C. Our own
-- searches do not use them; an index on q3c_ang2ipix(ra, dec) is possible and costs 2 to 4 us a row.
CREATE OR REPLACE FUNCTION q3c_ang2ipix(ra double precision, "dec" double precision) RETURNS bigint
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
DECLARE
    a       double precision := $1;
    t       double precision;
    rho     double precision;
    x       double precision;
    y       double precision;
    u       double precision;
    quarter integer;
    face    bigint;
    i       bigint;
    j       bigint;
BEGIN
    IF NOT ($1 > '-Infinity' AND $1 < 'Infinity' AND $2 > '-Infinity' AND $2 < 'Infinity') THEN
        RETURN NULL;
    ELSIF a < 0.0 THEN
        a := a - 360.0::float8 * trunc(a / 360.0::float8) + 360.0::float8;
    ELSIF a > 360.0 THEN
        a := a - 360.0::float8 * trunc(a / 360.0::float8);
    END IF;
    t := tan(radians(greatest(least($2, 90.0::float8), -90.0::float8)));
    u := (a + 45.0::float8) / 90.0::float8;
    quarter := CAST(trunc(u) AS integer) % 4;
    rho := radians(a - 90.0::float8 * quarter);
    face := quarter + 1;
    x := tan(rho);
    y := t / cos(rho);
    -- The reciprocal comes first and the product second: the other order differs in the last bit.
    IF y > 1.0 THEN
        u := 1.0::float8 / t;
        face := 0;
        x := sin(radians(a)) * u;
        y := -cos(radians(a)) * u;
    ELSIF y < -1.0 THEN
        u := 1.0::float8 / t;
        face := 5;
        x := -sin(radians(a)) * u;
        y := -cos(radians(a)) * u;
    END IF;
    i := least(CAST(trunc((x + 1.0::float8) / 2.0::float8 * 1073741824.0::float8) AS bigint), 1073741823);
    j := least(CAST(trunc((y + 1.0::float8) / 2.0::float8 * 1073741824.0::float8) AS bigint), 1073741823);
    RETURN (face << 60) + sky_spread_bits(i) + 2 * sky_spread_bits(j);
END
    $$;
COMMENT ON FUNCTION q3c_ang2ipix(double precision, double precision) IS 'Pixel number of a direction; NULL for NaN';

CREATE OR REPLACE FUNCTION q3c_ipix2ang(ipix bigint) RETURNS double precision[]
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
DECLARE
    face bigint := ipix >> 60;
    cell bigint := ipix & 1152921504606846975;
    x    double precision := 2.0::float8 * (sky_gather_bits(cell) + 0.5::float8) / 1073741824.0::float8 - 1.0::float8;
    y    double precision := 2.0::float8 * (sky_gather_bits(cell >> 1) + 0.5::float8) / 1073741824.0::float8 - 1.0::float8;
    a    double precision;
BEGIN
    IF ipix < 0 OR face > 5 THEN
        RAISE 'Invalid ipix value' USING ERRCODE = '22023';
    ELSIF face = 0 THEN
        RETURN ARRAY[degrees(atan2(-x, y) + pi()), degrees(atan(1.0::float8 / sqrt(x * x + y * y)))];
    ELSIF face = 5 THEN
        RETURN ARRAY[degrees(atan2(-x, -y) + pi()), -degrees(atan(1.0::float8 / sqrt(x * x + y * y)))];
    END IF;
    a := degrees(atan(x)) + 90.0::float8 * (face - 1);
    RETURN ARRAY[CASE WHEN a < 0.0 THEN a + 360.0::float8 ELSE a END, degrees(atan(y * cos(atan(x))))];
END
    $$;
COMMENT ON FUNCTION q3c_ipix2ang(bigint) IS '{ra, dec} of the center of a pixel';
