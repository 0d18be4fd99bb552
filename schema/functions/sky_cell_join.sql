-- The match of two tables by cells: each probe is put into the cells that its circle touches, each row of the base into its
-- own, and equal cells are hashed. What is computed for a row stands in an arm of a UNION ALL (the other arm may be empty):
-- the planner copies other expressions to wherever they are used, and would compute cells again for every pair.

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

-- The statement that gives each place (id, ra, dec) once for each cell of height h that its circle of radius r touches:
-- those in which its corners (i, j) lie. Where that is easy, within 60 deg of the equator, 2.001 r reaches as far as
-- asin(sin r / cos dec), and c = cos^2 dec, e = -dc/ddec / 2 [1/deg] are given for sky_pair_near; elsewhere c is 9.
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
    k      text := format('%L::float8', floor(180.0::float8 / h) / 360.0::float8);
    easy   text := format('abs(t."dec") < %L::float8 AND t.ra > %s AND t.ra < %L::float8',
                          60.0::float8 - 2.0::float8 * h, w, 359.9999::float8 - 2.001::float8 * r);
    two_zones text := format('floor((t."dec" + %1$s + 90.0::float8) / %2$s) <> floor((t."dec" - %1$s + 90.0::float8) / %2$s)',
                             r_text, h_text);
    two_cells text := format('floor((t.ra + %1$s) * %2$s) <> floor((t.ra - %1$s) * %2$s)', w, k);
    whole  text := format('(SELECT CAST(s.%I AS bigint) AS id, CAST(s.%I AS double precision) AS ra,'
                          ' CAST(s.%I AS double precision) AS "dec" FROM %s AS s) AS t', p_key, p_ra, p_dec, p_table);
    corner text := 'SELECT t.id, t.ra, t."dec", power(cos(radians(t."dec")), 2.0::float8) AS c,'
                || ' sin(radians(2.0::float8 * t."dec")) * 0.008726646259971648::float8 AS e,'
                || ' CAST(floor((t."dec" + %s + 90.0::float8) / %s) AS bigint) * 1048573'
                || ' + CAST(floor((t.ra + %s) * %s) AS bigint) AS cell FROM %s';
    rest   text := format(
'SELECT p.id, p.ra, p."dec", 9.0::float8 AS c, 0.0::float8 AS e,
        sky_cell(p.ra + o.i * p.w, CASE WHEN o.j < 0.0::float8 THEN p.low ELSE p.high END, %2$s) AS cell
   FROM (SELECT t.id, t.ra, t."dec", sky_cell_reach(t."dec", %1$s) AS w,
                sky_cell_zone(t."dec" - %1$s, %2$s) AS low, sky_cell_zone(t."dec" + %1$s, %2$s) AS high
           FROM (%3$s) AS t %4$s
          UNION ALL
         SELECT NULL::bigint, NULL::float8, NULL::float8, NULL::float8, NULL::integer, NULL::integer WHERE false) AS p
   JOIN (VALUES (-1.0::float8, -1.0::float8), (1.0, -1.0), (-1.0, 1.0), (1.0, 1.0)) AS o (i, j)
     ON (o.j < 0.0::float8 OR p.high <> p.low)
    AND (o.i < 0.0::float8 OR sky_cell(p.ra + p.w, CASE WHEN o.j < 0.0::float8 THEN p.low ELSE p.high END, %2$s)
                              <> sky_cell(p.ra - p.w, CASE WHEN o.j < 0.0::float8 THEN p.low ELSE p.high END, %2$s))',
        r_text, h_text, sky_places(p_table, p_key, p_ra, p_dec), '%s');
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
        || format(rest, 'WHERE NOT (' || easy || ')');
END
    $$;
COMMENT ON FUNCTION sky_corners_statement(regclass, name, name, name, double precision, double precision)
    IS 'The statement that gives each place once for each cell of height h [deg] that its circle of radius r [deg] touches';

-- The statement that gives each place with its own cell; NULL for those that are nowhere.
CREATE OR REPLACE FUNCTION sky_in_cells_statement(p_table regclass, p_key name, p_ra name, p_dec name, h double precision)
    RETURNS text
    LANGUAGE sql STABLE
    AS $$
SELECT format(
'SELECT t.id, CASE WHEN t.ra >= 0.0::float8 AND t.ra < 360.0::float8 THEN t.ra ELSE sky_ra(t.ra) END AS ra, t."dec",
        CASE WHEN abs(t."dec") < %2$L::float8 AND t.ra >= 0.0::float8 AND t.ra < 359.9999::float8
             THEN CAST(floor((t."dec" + 90.0::float8) / %1$L::float8) AS bigint) * 1048573
                  + CAST(floor(t.ra * %3$L::float8) AS bigint)
             WHEN t."dec" BETWEEN -90 AND 90 AND t.ra > ''-Infinity'' AND t.ra < ''Infinity''
             THEN sky_cell(t.ra, sky_cell_zone(t."dec", %1$L::float8), %1$L::float8) END AS cell
   FROM (SELECT CAST(s.%5$I AS bigint) AS id, CAST(s.%6$I AS double precision) AS ra, CAST(s.%7$I AS double precision) AS "dec"
           FROM %4$s AS s) AS t
  UNION ALL
 SELECT NULL::bigint, NULL::float8, NULL::float8, NULL::bigint WHERE false',
        h, 60.0::float8 - h, floor(180.0::float8 / h) / 360.0::float8, p_table, p_key, p_ra, p_dec)
    $$;
COMMENT ON FUNCTION sky_in_cells_statement(regclass, name, name, name, double precision)
    IS 'The statement that gives the places of a table with their cells of height h [deg]';

-- Squared separation [deg^2] of places at most 5 arcsec apart, within 60 deg of the equator, not across RA 0:
-- (d dec)^2 + (d ra)^2 cos(dec1) cos(dec2), wrong by 1e-9 arcsec at most, some times the rounding of a place in degrees.
CREATE OR REPLACE FUNCTION sky_pair_near(
    d_ra double precision, d_dec double precision, c double precision, e double precision
) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT $2 * $2 + $1 * $1 * ($3 - $4 * $2) $$;
COMMENT ON FUNCTION sky_pair_near(double precision, double precision, double precision, double precision)
    IS 'Squared separation [deg^2] of near places by their differences, and c, e of the first (sky_corners_statement)';

-- The statement that gives all pairs (probe_id, base_id, sep_arcsec) nearer than r [deg] by cells.
CREATE OR REPLACE FUNCTION sky_cell_join_statement(
    probe regclass, probe_key name, probe_ra name, probe_dec name, n_probe double precision,
    base regclass, base_key name, base_ra name, base_dec name, n_base double precision, r double precision
) RETURNS text
    LANGUAGE plpgsql STABLE
    AS $$
DECLARE
    density double precision := CASE WHEN n_probe >= 100000.0 AND r < 0.005 THEN sky_crowding(probe, probe_ra, probe_dec) END;
    h       double precision := sky_cell_best_height(r, n_probe, n_base, density);
    is_near text := CASE WHEN r <= 0.00139 THEN 'a.c < 2.0::float8' ELSE 'false' END;
BEGIN
    RETURN format(
'SELECT a.id AS probe_id, b.id AS base_id,
        CASE WHEN %3$s THEN sqrt(sky_pair_near(b.ra - a.ra, b."dec" - a."dec", a.c, a.e)) * 3600.0::float8
             ELSE degrees(2 * asin(sqrt(sky_sindist(a.ra, a."dec", b.ra, b."dec")))) * 3600 END AS sep_arcsec
   FROM (%1$s) AS a
   JOIN (%2$s) AS b ON b.cell = a.cell
  WHERE CASE WHEN %3$s THEN sky_pair_near(b.ra - a.ra, b."dec" - a."dec", a.c, a.e) < %4$L::float8
             ELSE abs(a."dec" - b."dec") < %5$L::float8 AND sky_sindist(a.ra, a."dec", b.ra, b."dec") < %6$L::float8 END',
        sky_corners_statement(probe, probe_key, probe_ra, probe_dec, r + 1e-9::float8, h),
        sky_in_cells_statement(base, base_key, base_ra, base_dec, h),
        is_near, r * r, r + 1e-9::float8, power(sin(radians(r) / 2.0::float8), 2.0::float8));
END
    $$;
COMMENT ON FUNCTION sky_cell_join_statement(regclass, name, name, name, double precision,
                                            regclass, name, name, name, double precision, double precision)
    IS 'The statement that gives all pairs of two tables nearer than r [deg], found by equal cells';
