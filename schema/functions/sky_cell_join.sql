-- The match of two tables by cells: each probe is put into the cells that its circle touches, each row of the base into its
-- own, and equal cells are hashed. Zone and cell are numbered by rounding, which costs one step where floor and cast are two.
-- The key of a cell is zone x 46493 + cell. Hashed by itself (schema/0290), the cells of a zone lie in a row in the table of
-- hash codes; this factor spreads the rows of a field over tables of 2^14 to 2^22 places nearly evenly, whatever the field's
-- shape (of odd factors the best found; a power of two laid 32 zones on one another and took seven times as long). Keys fit
-- an integer while h >= 0.002 deg. Distant cells may share a key, which only costs a comparison.

-- The number given. Being volatile it keeps the planner from copying the expressions of a subquery to wherever they are
-- used, so that they are computed once a row; it is inlined afterwards and costs nothing. OFFSET 0 would do the same, but
-- keeps the join to one process, as an arm of a UNION ALL without FROM does on PostgreSQL 15.
CREATE OR REPLACE FUNCTION sky_once(number integer) RETURNS integer
    LANGUAGE sql VOLATILE PARALLEL SAFE
    AS $$ SELECT $1 $$;
COMMENT ON FUNCTION sky_once(integer) IS 'The number given; in a subquery it keeps all columns from being computed twice';

CREATE OR REPLACE FUNCTION sky_once(number double precision) RETURNS double precision
    LANGUAGE sql VOLATILE PARALLEL SAFE
    AS $$ SELECT $1 $$;
COMMENT ON FUNCTION sky_once(double precision) IS 'The number given; in a subquery it keeps all columns from being computed twice';

-- Cells of a zone: as many as there is room for cells of height h at the end that is nearer to a pole. Zones within 60 deg of
-- the equator have one number of cells, so that no cosine is needed where nearly all rows are. Numbers are odd: the first and
-- the last cell of a zone then differ by an even number, and of the cells that a circle across RA 0 touches no two share a key.
CREATE OR REPLACE FUNCTION sky_n_cell(zone integer, h double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT CASE WHEN abs($1 * $2) + $2 / 2.0::float8 <= 60.0::float8
            THEN greatest(floor(90.0::float8 / $2 + 0.5::float8) * 2.0::float8 - 1.0::float8, 1.0::float8)
            ELSE greatest(floor(180.0::float8 / $2 * cos(radians(least(abs($1 * $2) + $2 / 2.0::float8, 90.0::float8)))
                                + 0.5::float8) * 2.0::float8 - 1.0::float8, 1.0::float8) END
    $$;
COMMENT ON FUNCTION sky_n_cell(integer, double precision) IS 'How many cells the zone at zone x h [deg] is cut into';

-- The cell that holds a right ascension, from 0: cell 0 lies on both sides of RA 0.
CREATE OR REPLACE FUNCTION sky_cell_number(ra double precision, zone integer, h double precision) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT CASE WHEN ($1 / 360.0::float8 - floor($1 / 360.0::float8)) * sky_n_cell($2, $3) < sky_n_cell($2, $3) - 0.5::float8
            THEN CAST(($1 / 360.0::float8 - floor($1 / 360.0::float8)) * sky_n_cell($2, $3) AS integer)
            ELSE 0 END
    $$;
COMMENT ON FUNCTION sky_cell_number(double precision, integer, double precision)
    IS 'Number of the cell of a zone of height h [deg] that holds a right ascension';

-- Places of a table for each square degree, as its rows see them, from one zone in 67; NULL for less than a hundred places.
CREATE OR REPLACE FUNCTION sky_crowding(p_table regclass, p_ra name, p_dec name) RETURNS double precision
    LANGUAGE plpgsql STABLE
    AS $$
DECLARE
    density double precision;
BEGIN
    EXECUTE format(
        'SELECT sum(c.n * (c.n - 1)) / sum(c.n) / 4e-6::float8 / CASE WHEN sum(c.n) < 100 THEN NULL ELSE 1 END'
        '  FROM (SELECT count(*) AS n FROM %1$s AS t'
        '         WHERE t.%3$I BETWEEN -89 AND 89 AND t.%2$I > -720 AND t.%2$I < 720'
        '           AND mod(CAST(floor((t.%3$I + 90.0::float8) * 500.0::float8) AS integer), 67) = 0'
        '         GROUP BY floor((t.%3$I + 90.0::float8) * 500.0::float8), floor(t.%2$I * cos(radians(t.%3$I)) * 500.0::float8)'
        '       ) AS c', p_table, p_ra, p_dec) INTO density;
    RETURN density;
END
    $$;
COMMENT ON FUNCTION sky_crowding(regclass, name, name) IS 'Rows of a table for each square degree, near its rows, by a sample';

-- Cells are at least eight times as high as a circle's radius, so that few circles touch several.
CREATE OR REPLACE FUNCTION sky_cell_height(r double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT greatest(8.0::float8 * ($1 + 1e-9::float8), 0.002::float8) $$;
COMMENT ON FUNCTION sky_cell_height(double precision) IS 'Least height [deg] of the cells for a match within r [deg]';

-- Cells of k radii hold 2 (k r)^2 density probes for each row of the base, and 4 / k of the probes are in two of them. Each
-- costs about 0.06 and 0.35 us, which together are least where k^3 = 5.8 n_probe / (n_base density r^2).
CREATE OR REPLACE FUNCTION sky_cell_best_height(
    r double precision, n_probe double precision, n_base double precision, density double precision
) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT greatest(sky_cell_height($1),
                least($1 * least(64.0::float8,
                                 cbrt(5.8::float8 * $2 / greatest($3 * $4 * power($1, 2.0::float8), 1e-9::float8))), 0.05::float8))
    $$;
COMMENT ON FUNCTION sky_cell_best_height(double precision, double precision, double precision, double precision)
    IS 'Height [deg] of the cells for a match within r [deg] of so many probes, of a density [1/deg^2] or NULL, to so many rows';

-- The statement that gives each place (id, ra, dec) once for each cell of height h, by its key, that its circle of radius r
-- touches: those in which its corners (i, j) lie. Where that is easy, within 60 deg of the equator, 2.001 r reaches as far as
-- asin(sin r / cos dec), and c = cos^2 dec, e = -dc/ddec / 2 [1/deg] are given for sky_pair_near, if r is so small that it holds.
-- A table is read three times, with little to compute: for the first corner, for the others of the few that need them, and
-- for what is not easy. A view, which may be dear, is read once.
CREATE OR REPLACE FUNCTION sky_corners_statement(
    p_table regclass, p_key name, p_ra name, p_dec name, r double precision, h double precision
) RETURNS text
    LANGUAGE plpgsql STABLE
    AS $$
DECLARE
    r_text text := format('%L::float8', r);
    h_text text := format('%L::float8', h);
    w      text := format('%L::float8', 2.001::float8 * r);
    k      text := format('%L::float8', sky_n_cell(0, h) / 360.0::float8);
    easy   text := format('abs(t."dec") < %L::float8 AND t.ra > %s AND t.ra < %L::float8',
                          60.0::float8 - 2.0::float8 * h, w, 360.0::float8 - 1.1::float8 * h - 2.001::float8 * r);
    low    text := format('CAST((t."dec" - %s) / %s AS integer)', r_text, h_text);
    high   text := format('CAST((t."dec" + %s) / %s AS integer)', r_text, h_text);
    two_zones text := format('%s <> %s', high, low);
    two_cells text := format('CAST((t.ra + %1$s) * %2$s AS integer) <> CAST((t.ra - %1$s) * %2$s AS integer)', w, k);
    whole  text := format('(SELECT CAST(s.%I AS bigint) AS id, CAST(s.%I AS double precision) AS ra,'
                          ' CAST(s.%I AS double precision) AS "dec" FROM %s AS s) AS t', p_key, p_ra, p_dec, p_table);
    corner text := 'SELECT t.id, t.ra, t."dec", ' || (r <= 0.0013900011::float8)
                || ' AS is_near, 0.5::float8 + 0.5::float8 * cos(radians(2.0::float8 * t."dec")) AS c,'
                || ' sin(radians(2.0::float8 * t."dec")) * 0.008726646259971648::float8 AS e,'
                || ' CAST((t."dec" + %s) / %s AS integer) * 46493 + CAST((t.ra + %s) * %s AS integer) AS key FROM %s';
    rest   text := format(
'SELECT p.id, p.ra, p."dec", false AS is_near, 0.0::float8 AS c, 0.0::float8 AS e,
        CASE WHEN o.j < 0.0::float8 THEN p.low ELSE p.high END * 46493
        + sky_cell_number(p.ra + o.i * p.w, CASE WHEN o.j < 0.0::float8 THEN p.low ELSE p.high END, %2$s) AS key
   FROM (SELECT t.id, t.ra, t."dec", sky_cell_reach(t."dec", %1$s) AS w, sky_once(%5$s) AS low, %6$s AS high
           FROM (%3$s) AS t %4$s) AS p
   JOIN (VALUES (-1.0::float8, -1.0::float8), (1.0, -1.0), (-1.0, 1.0), (1.0, 1.0)) AS o (i, j)
     ON (o.j < 0.0::float8 OR p.high <> p.low)
    AND (o.i < 0.0::float8 OR sky_cell_number(p.ra + p.w, CASE WHEN o.j < 0.0::float8 THEN p.low ELSE p.high END, %2$s)
                              <> sky_cell_number(p.ra - p.w, CASE WHEN o.j < 0.0::float8 THEN p.low ELSE p.high END, %2$s))',
        r_text, h_text, sky_places(p_table, p_key, p_ra, p_dec), '%s', low, high);
BEGIN
    IF (SELECT c.relkind FROM pg_class AS c WHERE c.oid = p_table) IN ('v', 'f') THEN
        RETURN format(rest, '');
    END IF;
    RETURN format(corner, '-' || r_text, h_text, '-' || w, k, whole) || ' WHERE ' || easy
        || E'\n UNION ALL\n'
        || format(corner, 'o.j * ' || r_text, h_text, 'o.i * ' || w, k, whole)
        || ' JOIN (VALUES (1.0::float8, -1.0::float8), (-1.0, 1.0), (1.0, 1.0)) AS o (i, j) ON'
        || format(' (o.j < 0.0::float8 OR %1$s) AND (o.i < 0.0::float8 OR %2$s) WHERE %3$s AND (%1$s OR %2$s)',
                  two_zones, two_cells, easy)
        || E'\n UNION ALL\n'
        -- = of an expression, of which the planner expects 0.5 %: with a third, the table of hash codes would be twice as large
        || format(rest, 'WHERE CASE WHEN ' || easy || ' THEN 1 ELSE 2 END = 2');
END
    $$;
COMMENT ON FUNCTION sky_corners_statement(regclass, name, name, name, double precision, double precision)
    IS 'The statement that gives each place once for each cell of height h [deg] that its circle of radius r [deg] touches';

-- The statement that gives each place with the key of its own cell; NULL for those that are nowhere.
CREATE OR REPLACE FUNCTION sky_in_cells_statement(p_table regclass, p_key name, p_ra name, p_dec name, h double precision)
    RETURNS text
    LANGUAGE sql STABLE
    AS $$
SELECT format(
'SELECT t.id, CASE WHEN t.ra >= 0.0::float8 AND t.ra < 360.0::float8 THEN t.ra ELSE sky_ra(t.ra) END AS ra, t."dec",
        sky_once(CASE WHEN abs(t."dec") < %2$L::float8 AND t.ra >= 0.0::float8 AND t.ra < %8$L::float8
                      THEN CAST(t."dec" / %1$L::float8 AS integer) * 46493 + CAST(t.ra * %3$L::float8 AS integer)
                      WHEN abs(t."dec") <= 90.0::float8 AND t.ra > ''-Infinity'' AND t.ra < ''Infinity''
                      THEN CAST(t."dec" / %1$L::float8 AS integer) * 46493
                           + sky_cell_number(t.ra, CAST(t."dec" / %1$L::float8 AS integer), %1$L::float8) END) AS key
   FROM (SELECT CAST(s.%5$I AS bigint) AS id, CAST(s.%6$I AS double precision) AS ra, CAST(s.%7$I AS double precision) AS "dec"
           FROM %4$s AS s) AS t',
        h, 60.0::float8 - h, sky_n_cell(0, h) / 360.0::float8, p_table, p_key, p_ra, p_dec,
        360.0::float8 - 1.1::float8 * h)
    $$;
COMMENT ON FUNCTION sky_in_cells_statement(regclass, name, name, name, double precision)
    IS 'The statement that gives the places of a table with the keys of their cells of height h [deg]';

-- Squared separation [deg^2] of places at most 5 arcsec apart, within 60 deg of the equator, not across RA 0:
-- (d dec)^2 + (d ra)^2 cos(dec1) cos(dec2), wrong by 1e-9 arcsec at most, some times the rounding of a place in degrees.
CREATE OR REPLACE FUNCTION sky_pair_near(
    d_ra double precision, d_dec double precision, c double precision, e double precision
) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT $2 * $2 + $1 * $1 * ($3 - $4 * $2) $$;
COMMENT ON FUNCTION sky_pair_near(double precision, double precision, double precision, double precision)
    IS 'Squared separation [deg^2] of near places by their differences, and c, e of the first (sky_corners_statement)';

-- The statement that gives all pairs (probe_id, base_id, sep_arcsec) nearer than r [deg] by cells. The squared separation is
-- computed once, for those that share a cell and are near in declination.
CREATE OR REPLACE FUNCTION sky_cell_join_statement(
    probe regclass, probe_key name, probe_ra name, probe_dec name, n_probe double precision,
    base regclass, base_key name, base_ra name, base_dec name, n_base double precision, r double precision
) RETURNS text
    LANGUAGE plpgsql STABLE
    AS $$
DECLARE
    -- of fewer probes the sample would hold less than a hundred places
    density double precision := CASE WHEN n_probe >= 10000.0 AND r < 0.005 THEN sky_crowding(probe, probe_ra, probe_dec) END;
    -- cells hashed by their own numbers (schema/0290) are best with one probe in two, 2 h^2 in size
    is_own  boolean := to_regoperator('=#=(integer,integer)') IS NOT NULL;
    h       double precision := greatest(sky_cell_best_height(r, n_probe, n_base, density),
                                         CASE WHEN is_own AND density > 0.0::float8
                                              THEN least(0.5::float8 / sqrt(density), 64.0::float8 * r) END);
BEGIN
    RETURN format(
'SELECT q.probe_id, q.base_id, sqrt(q.s2) * 3600.0::float8 AS sep_arcsec
   FROM (SELECT a.id AS probe_id, b.id AS base_id,
                sky_once(CASE WHEN a.is_near THEN sky_pair_near(b.ra - a.ra, b."dec" - a."dec", a.c, a.e)
                              ELSE power(degrees(2.0::float8 * asin(sqrt(sky_sindist(a.ra, a."dec", b.ra, b."dec")))), 2.0::float8)
                              END) AS s2
           FROM (%1$s) AS a
           JOIN (%2$s) AS b ON b.key %5$s a.key
          WHERE abs(b."dec" - a."dec") < %3$L::float8) AS q
  WHERE q.s2 < %4$L::float8',
        sky_corners_statement(probe, probe_key, probe_ra, probe_dec, r + 1e-9::float8, h),
        sky_in_cells_statement(base, base_key, base_ra, base_dec, h),
        r + 1e-9::float8, r * r, CASE WHEN is_own THEN '=#=' ELSE '=' END);
END
    $$;
COMMENT ON FUNCTION sky_cell_join_statement(regclass, name, name, name, double precision,
                                            regclass, name, name, name, double precision, double precision)
    IS 'The statement that gives all pairs of two tables nearer than r [deg], found by equal cells';
