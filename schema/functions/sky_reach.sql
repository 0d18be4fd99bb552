-- The search in the sky index, a btree on (sky_zone(dec), ra) of rows with ra in [0, 360) and dec in [-90, 90].
-- All of it is inlined into the query that calls it, so that the planner sees conditions on the index. This needs
-- LANGUAGE sql, one expression, no STRICT, and arguments that are columns, constants or a few operations.
-- Every search is wider by 1e-9 deg than asked: far more than rounding, and what is too much fails the distance test.

-- Right ascension in [0, 360].
CREATE OR REPLACE FUNCTION sky_ra(ra double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT $1 - 360.0::float8 * floor($1 / 360.0::float8) $$;
COMMENT ON FUNCTION sky_ra(double precision) IS 'Right ascension wrapped into [0, 360]';

-- Largest difference in RA from a point at dec to any point within r: asin(sin r / cos dec); where a pole is near
-- 720, which reaches every way of writing RA from -360 to 720.
CREATE OR REPLACE FUNCTION sky_half_width("dec" double precision, r double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT CASE WHEN $2 > 0.0::float8 AND abs($1) + $2 < 89.999::float8
            THEN degrees(asin(sin(radians($2)) / cos(radians($1)))) + 1e-9::float8
            ELSE 720.0::float8
       END
    $$;
COMMENT ON FUNCTION sky_half_width(double precision, double precision)
    IS 'Half width in RA [deg] of a circle of radius r [deg] at dec; 720 where the circle comes near a pole';

-- What must be added to the RA of a search in a table whose RA is written from -180 to 360, so that it finds what is
-- written a turn away; NULL if nothing can be: a table has 0 to 180 once, but near 0 (written as 360) and 180 (as -180).
CREATE OR REPLACE FUNCTION sky_turn(ra double precision, "dec" double precision, r double precision)
    RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT CASE WHEN sky_half_width($2, $3) >= 180.0::float8 THEN NULL
            WHEN sky_ra($1) < sky_half_width($2, $3) THEN 360.0::float8
            WHEN sky_ra($1) >= 180.0::float8 - sky_half_width($2, $3) THEN -360.0::float8
       END
    $$;
COMMENT ON FUNCTION sky_turn(double precision, double precision, double precision)
    IS '360 or -360 where a table with RA from -180 to 360 may have what lies in a circle a turn away, else NULL';

-- What must be added to the RA of a search so that it finds what lies across RA 0; NULL if nothing does.
CREATE OR REPLACE FUNCTION sky_wrap(ra double precision, "dec" double precision, r double precision)
    RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT CASE WHEN sky_half_width($2, $3) >= 180.0::float8 THEN NULL
            WHEN sky_ra($1) < sky_half_width($2, $3) THEN 360.0::float8
            WHEN sky_ra($1) >= 360.0::float8 - sky_half_width($2, $3) THEN -360.0::float8
       END
    $$;
COMMENT ON FUNCTION sky_wrap(double precision, double precision, double precision)
    IS '360 or -360 where a circle reaches across RA 0, else NULL';

-- The subscripts of an array that begins at the first zone: the one way to a list of consecutive numbers that is a plain
-- expression and so is inlined. generate_series would need a subquery, which made each call 10 us.
CREATE OR REPLACE FUNCTION sky_zone_range(first integer, last integer) RETURNS integer[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT CASE WHEN $1 <= $2 THEN array_positions(array_fill(0, ARRAY[$2 - $1 + 1], ARRAY[$1]), 0) END $$;
COMMENT ON FUNCTION sky_zone_range(integer, integer) IS 'The zones from first to last; NULL if one of them is NULL';

-- Zones of a circle. Up to one zone's height its ends and its middle are all there are; up to four, ten zones in a row
-- hold them (repeated ones cost nothing in an index scan); larger circles call a function that is not inlined.
CREATE OR REPLACE FUNCTION sky_zones("dec" double precision, r double precision) RETURNS integer[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT CASE WHEN $2 <= 0.00222::float8
            THEN ARRAY[sky_zone($1 - $2), sky_zone($1), sky_zone($1 + $2)]
            WHEN $2 <= 0.00888::float8
            THEN ARRAY[sky_zone($1 - $2),                                        sky_zone($1 - 0.00666666667::float8),
                       sky_zone($1 - 0.00444444444::float8),                     sky_zone($1 - 0.00222222222::float8),
                       sky_zone($1),                                             sky_zone($1 + 0.00222222222::float8),
                       sky_zone($1 + 0.00444444444::float8),                     sky_zone($1 + 0.00666666667::float8),
                       sky_zone($1 + $2)]
            ELSE sky_zone_range(sky_zone($1 - $2), sky_zone($1 + $2))
       END
    $$;
COMMENT ON FUNCTION sky_zones(double precision, double precision)
    IS 'Numbers of all 8" zones that a circle of radius r [deg] at dec touches';

-- Whether (ra2, dec2), the columns of the indexed table, may lie within r of (ra1, dec1): true for every point that
-- does. Zones and RA range stand together in each arm of the OR, and the zones of the second are written differently
-- (+ 0.0): equal conditions would be drawn out of the OR, and a join would then use the index for the zones only.
CREATE OR REPLACE FUNCTION sky_reach(
    ra1 double precision, dec1 double precision, ra2 double precision, dec2 double precision, r double precision
) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT (sky_zone($4) = ANY (sky_zones($2, $5 + 1e-9::float8))
        AND $3 >= sky_ra($1) - sky_half_width($2, $5 + 1e-9::float8)
        AND $3 <= sky_ra($1) + sky_half_width($2, $5 + 1e-9::float8))
    OR (sky_zone($4) = ANY (sky_zones($2 + 0.0::float8, $5 + 1e-9::float8))
        AND $3 >= sky_ra($1) + sky_wrap($1, $2, $5 + 1e-9::float8) - sky_half_width($2, $5 + 1e-9::float8)
        AND $3 <= sky_ra($1) + sky_wrap($1, $2, $5 + 1e-9::float8) + sky_half_width($2, $5 + 1e-9::float8))
    $$;
COMMENT ON FUNCTION sky_reach(double precision, double precision, double precision, double precision, double precision)
    IS 'Index condition: (ra2, dec2) of the indexed table may lie within r [deg] of (ra1, dec1)';

-- The same for tables of other people, whose RA may be written from -180 to 180: the second arm looks a turn away from
-- every place beyond 180, too, and not only near RA 0.
CREATE OR REPLACE FUNCTION sky_reach_turn(
    ra1 double precision, dec1 double precision, ra2 double precision, dec2 double precision, r double precision
) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT (sky_zone($4) = ANY (sky_zones($2, $5 + 1e-9::float8))
        AND $3 >= sky_ra($1) - sky_half_width($2, $5 + 1e-9::float8)
        AND $3 <= sky_ra($1) + sky_half_width($2, $5 + 1e-9::float8))
    OR (sky_zone($4) = ANY (sky_zones($2 + 0.0::float8, $5 + 1e-9::float8))
        AND $3 >= sky_ra($1) + sky_turn($1, $2, $5 + 1e-9::float8) - sky_half_width($2, $5 + 1e-9::float8)
        AND $3 <= sky_ra($1) + sky_turn($1, $2, $5 + 1e-9::float8) + sky_half_width($2, $5 + 1e-9::float8))
    $$;
COMMENT ON FUNCTION sky_reach_turn(double precision, double precision, double precision, double precision, double precision)
    IS 'Index condition: (ra2, dec2), with ra2 from -180 to 360, may lie within r [deg] of (ra1, dec1)';

CREATE OR REPLACE FUNCTION sky_sindist(
    ra1 double precision, dec1 double precision, ra2 double precision, dec2 double precision
) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT power(sin(radians($3 - $1) / 2.0::float8), 2.0::float8) * cos(radians($2)) * cos(radians($4))
       + power(sin(radians($2 - $4) / 2.0::float8), 2.0::float8)
    $$;
COMMENT ON FUNCTION sky_sindist(double precision, double precision, double precision, double precision)
    IS 'Squared sine of half the angle between two directions [deg]';

-- The radius of a search, so that its sine can be computed whatever it is.
CREATE OR REPLACE FUNCTION sky_sine_of_half(r double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT sin(radians(CASE WHEN $1 < 'Infinity'::float8 THEN $1 END) / 2.0::float8) $$;
COMMENT ON FUNCTION sky_sine_of_half(double precision) IS 'Sine of half an angle [deg]; NULL unless it is finite';

-- A radius of NaN is kept out by the comparison with infinity: NaN is the largest number, and every distance below it.
-- What the queries of sql/ use: unlike q3c_join, it searches our index also where Q3C itself is installed.
CREATE OR REPLACE FUNCTION sky_join(
    ra1 double precision, dec1 double precision, ra2 double precision, dec2 double precision, r double precision
) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT sky_reach($1, $2, $3, $4, $5)
   AND $5 > 0.0::float8 AND $5 < 'Infinity'::float8
   AND sky_sindist($1, $2, $3, $4) < power(sin(radians($5) / 2.0::float8), 2.0::float8)
    $$;
COMMENT ON FUNCTION sky_join(double precision, double precision, double precision, double precision, double precision)
    IS 'Whether two directions are nearer than r [deg]; ra2, dec2 of the indexed table';

-- Large joins, where the second arm of sky_reach costs as much as the first: give each probe its images across RA 0
-- (one, or two for the few near it) and join them by sky_near, which has one arm:
--     SELECT ... FROM (SELECT *, unnest(sky_images(ra, dec, :r)) AS image_ra FROM a) AS a
--                JOIN b ON sky_near(a.image_ra, a.dec, b.ra, b.dec, :r)
CREATE OR REPLACE FUNCTION sky_images(ra double precision, "dec" double precision, r double precision)
    RETURNS double precision[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT CASE WHEN sky_wrap($1, $2, $3 + 1e-9::float8) IS NULL
            THEN ARRAY[sky_ra($1)]
            ELSE ARRAY[sky_ra($1), sky_ra($1) + sky_wrap($1, $2, $3 + 1e-9::float8)]
       END
    $$;
COMMENT ON FUNCTION sky_images(double precision, double precision, double precision)
    IS 'The RA of a probe, and that plus or minus 360 if its circle of radius r [deg] reaches across RA 0';

-- The same for tables of other people, whose RA may be written from -180 to 180.
CREATE OR REPLACE FUNCTION sky_images_turn(ra double precision, "dec" double precision, r double precision)
    RETURNS double precision[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT CASE WHEN sky_turn($1, $2, $3 + 1e-9::float8) IS NULL
            THEN ARRAY[sky_ra($1)]
            ELSE ARRAY[sky_ra($1), sky_ra($1) + sky_turn($1, $2, $3 + 1e-9::float8)]
       END
    $$;
COMMENT ON FUNCTION sky_images_turn(double precision, double precision, double precision)
    IS 'The RA of a probe, and that a turn away if a table with RA from -180 to 360 may have its circle there';

CREATE OR REPLACE FUNCTION sky_near(
    image_ra double precision, dec1 double precision, ra2 double precision, dec2 double precision, r double precision
) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT $5 > 0.0::float8 AND $5 < 'Infinity'::float8
   AND sky_zone($4) = ANY (sky_zones($2, $5 + 1e-9::float8))
   AND $3 >= $1 - sky_half_width($2, $5 + 1e-9::float8)
   AND $3 <= $1 + sky_half_width($2, $5 + 1e-9::float8)
   AND sky_sindist($1, $2, $3, $4) < power(sin(radians($5) / 2.0::float8), 2.0::float8)
    $$;
COMMENT ON FUNCTION sky_near(double precision, double precision, double precision, double precision, double precision)
    IS 'Whether (ra2, dec2) of the indexed table lies within r [deg] of a probe, seen from one of its sky_images';
