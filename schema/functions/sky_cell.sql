-- Cells for matches of whole tables: zones of height h [deg], each cut into equal cells no narrower than h. Neighbors are
-- then found by the equality of integers, which is hashed: 1e6 x 1e6 places cost two thirds of what a sky index costs.
-- For r <= h / 8 a circle touches at most two zones, and in each at most two cells: those of its left and right ends.
-- (Near a pole a zone is one cell until it is 2.5 r away from it; there asin(r / 1.5 r) is less than half a cell.)
CREATE OR REPLACE FUNCTION sky_cell_zone("dec" double precision, h double precision) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT CAST(floor(($1 + 90.0::float8) / $2) AS integer) $$;
COMMENT ON FUNCTION sky_cell_zone(double precision, double precision) IS 'Zone of height h [deg] that holds a declination';

-- Zones within 60 deg of the equator have one number of cells, so that no cosine is needed where nearly all rows are.
-- The factor is a prime: PostgreSQL hashes a bigint by the exclusive or of its halves, and zone and number in one half
-- each would share a few thousand codes. What rounding makes of an RA just below 360 must not become a cell of its own.
CREATE OR REPLACE FUNCTION sky_cell(ra double precision, band integer, h double precision) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT CAST($2 AS bigint) * 1048573
     + CAST(floor(least($1 / 360.0::float8 - floor($1 / 360.0::float8), 0.9999999999::float8)
                  * CASE WHEN abs(($2 + 0.5::float8) * $3 - 90.0::float8) + $3 / 2.0::float8 <= 60.0::float8
                         THEN floor(180.0::float8 / $3)
                         ELSE greatest(floor(360.0::float8 / $3
                                             * cos(radians(least(abs(($2 + 0.5::float8) * $3 - 90.0::float8)
                                                                 + $3 / 2.0::float8, 90.0::float8)))), 1.0::float8)
                    END) AS bigint)
    $$;
COMMENT ON FUNCTION sky_cell(double precision, integer, double precision)
    IS 'Number of the cell of a zone (sky_cell_zone) that holds a right ascension';

-- The same by ra and dec, by a short way where that is possible. The two ways round differently; whoever asks for the
-- cells of a circle makes it wider by 1e-9 deg, far more than rounding.
CREATE OR REPLACE FUNCTION sky_cell_at(ra double precision, "dec" double precision, h double precision) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT CASE WHEN abs($2) < 60.0::float8 - $3 AND $1 >= 0.0::float8 AND $1 < 359.9999::float8
            THEN CAST(floor(($2 + 90.0::float8) / $3) AS bigint) * 1048573
                 + CAST(floor($1 * (floor(180.0::float8 / $3) / 360.0::float8)) AS bigint)
            ELSE sky_cell($1, sky_cell_zone($2, $3), $3)
       END
    $$;
COMMENT ON FUNCTION sky_cell_at(double precision, double precision, double precision)
    IS 'Number of the cell of height h [deg] that holds a direction';

-- Exactly asin(sin r / cos dec), unlike sky_half_width: a circle around a pole lies in zones of one cell.
CREATE OR REPLACE FUNCTION sky_cell_reach("dec" double precision, r double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT degrees(asin(least(sin(radians($2)) / greatest(cos(radians($1)), 1e-12::float8), 1.0::float8))) $$;
COMMENT ON FUNCTION sky_cell_reach(double precision, double precision)
    IS 'Half width in RA [deg] of a circle of radius r [deg] at dec; 90 around a pole';
