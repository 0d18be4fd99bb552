-- Matches of any two tables or views that have positions.
-- These functions build their statements, because names of tables and columns cannot be parameters. What is put into
-- them: the text of a regclass, column names found in pg_attribute and quoted by %I, numbers by %L. Nothing else.

-- The column of a table that has this name. An error that lists what there is, if none has.
CREATE OR REPLACE FUNCTION sky_column(p_table regclass, p_column name) RETURNS name
    LANGUAGE plpgsql STABLE
    AS $$
DECLARE
    found name;
BEGIN
    SELECT a.attname INTO found
      FROM pg_attribute AS a
     WHERE a.attrelid = p_table AND a.attname = p_column AND a.attnum > 0 AND NOT a.attisdropped;
    IF found IS NULL THEN
        RAISE 'table %: no column "%" (found: %)', p_table, p_column,
              (SELECT string_agg(CAST(a.attname AS text), ', ' ORDER BY a.attnum)
                 FROM pg_attribute AS a WHERE a.attrelid = p_table AND a.attnum > 0 AND NOT a.attisdropped)
            USING ERRCODE = '42703', HINT = 'Name the columns: left_key, left_ra, left_dec, right_key, ...';
    END IF;
    RETURN found;
END
    $$;
COMMENT ON FUNCTION sky_column(regclass, name) IS 'A column of a table; an error that lists its columns if it has no such one';

-- The column whose numbers name the rows of a table: the one asked for, else the primary key, or its last column where
-- those before it are run_id, task_id, visit and the like, else "id", "<table>_id" or "object_id".
CREATE OR REPLACE FUNCTION sky_key(p_table regclass, p_column name) RETURNS name
    LANGUAGE plpgsql STABLE
    AS $$
DECLARE
    found name := p_column;
BEGIN
    IF found IS NULL THEN
        SELECT a.attname INTO found
          FROM pg_index AS i
          JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[i.indnkeyatts - 1]
         WHERE i.indrelid = p_table AND i.indisprimary;
    END IF;
    IF found IS NULL THEN
        SELECT a.attname INTO found
          FROM pg_attribute AS a
          JOIN pg_class AS c ON c.oid = a.attrelid
         WHERE a.attrelid = p_table AND a.attnum > 0 AND NOT a.attisdropped
           AND a.attname IN ('id', c.relname || '_id', 'object_id', 'source_id', 'star_id')
         ORDER BY a.attname <> 'id', a.attname <> c.relname || '_id'
         LIMIT 1;
    END IF;
    found := sky_column(p_table, COALESCE(found, 'id'));
    IF NOT EXISTS (SELECT FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
                    WHERE a.attrelid = p_table AND a.attname = found
                      AND COALESCE(NULLIF(t.typbasetype, 0), t.oid) IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)) THEN
        RAISE 'table %: column "%" is no whole number', p_table, found
            USING ERRCODE = '42804', HINT = 'ALTER TABLE ... ADD id bigint GENERATED ALWAYS AS IDENTITY, and name it as key.';
    END IF;
    RETURN found;
END
    $$;
COMMENT ON FUNCTION sky_key(regclass, name) IS 'The column of whole numbers that names the rows of a table';

-- Rows of a table, about: statistics, else its size, else (a view) a million. A temporary table of the caller that has
-- no statistics is given them: without, the planner may compare everything with everything.
CREATE OR REPLACE FUNCTION sky_n_row(p_table regclass) RETURNS double precision
    LANGUAGE plpgsql
    AS $$
DECLARE
    kind     record;
    n_row    double precision;
BEGIN
    SELECT c.relkind, c.relpersistence, c.reltuples, pg_has_role(c.relowner, 'USAGE') AS is_ours INTO kind
      FROM pg_class AS c WHERE c.oid = p_table;
    IF kind.relkind NOT IN ('r', 'p', 'm', 'v', 'f') THEN
        RAISE '%: is no table or view', p_table USING ERRCODE = '42809';
    ELSIF kind.relpersistence = 't' AND kind.reltuples < 0 AND kind.is_ours AND kind.relkind = 'r' THEN
        EXECUTE format('ANALYZE %s', p_table);
    END IF;
    SELECT sum(CASE WHEN c.relkind IN ('v', 'f') THEN 1e6
                    WHEN c.reltuples >= 0 THEN c.reltuples
                    ELSE pg_relation_size(c.oid) / 100.0 END) INTO n_row
      FROM pg_class AS c
     WHERE c.oid = p_table OR c.oid IN (SELECT t.relid FROM pg_partition_tree(p_table) AS t WHERE t.isleaf);
    RETURN COALESCE(n_row, 0.0);
END
    $$;
COMMENT ON FUNCTION sky_n_row(regclass) IS 'About how many rows a table has';

-- Whether ra and dec of a table are searched by our index, a btree on (sky_zone(dec), ra).
CREATE OR REPLACE FUNCTION sky_is_indexed(p_table regclass, p_ra name, p_dec name) RETURNS boolean
    LANGUAGE sql STABLE
    AS $$
SELECT EXISTS (SELECT 1
                 FROM pg_index AS i
                WHERE i.indrelid = p_table
                  AND i.indisvalid
                  AND i.indpred IS NULL
                  AND i.indnkeyatts >= 2
                  AND pg_get_indexdef(i.indexrelid, 1, false) IN
                      (format('sky_zone(%I)', p_dec), format('sky_zone((%I)::double precision)', p_dec))
                  AND pg_get_indexdef(i.indexrelid, 2, false) = quote_ident(p_ra))
    $$;
COMMENT ON FUNCTION sky_is_indexed(regclass, name, name) IS 'Whether a table has the sky index on these columns';

-- Rows of a table as (id, ra, dec), without those that are nowhere.
CREATE OR REPLACE FUNCTION sky_places(p_table regclass, p_key name, p_ra name, p_dec name) RETURNS text
    LANGUAGE sql STABLE
    AS $$
SELECT format('SELECT CAST(t.%I AS bigint) AS id, CAST(t.%I AS double precision) AS ra,'
              ' CAST(t.%I AS double precision) AS "dec" FROM %s AS t'
              ' WHERE t.%3$I BETWEEN -90 AND 90 AND t.%2$I > ''-Infinity'' AND t.%2$I < ''Infinity''',
              p_key, p_ra, p_dec, p_table)
    $$;
COMMENT ON FUNCTION sky_places(regclass, name, name, name) IS 'The statement that reads id, ra, dec of a table';

-- Cells are at least eight times as high as a circle's radius, so that few circles touch several.
CREATE OR REPLACE FUNCTION sky_cell_height(r double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT greatest(8.0::float8 * ($1 + 1e-9::float8), 0.002::float8) $$;
COMMENT ON FUNCTION sky_cell_height(double precision) IS 'Height [deg] of the cells for a match within r [deg]';

-- The statement that gives each place (id, ra, dec) once for each cell of height h that its circle of radius r touches:
-- those in which its corners (i, j) lie. Within 60 deg of the equator 2.001 r reaches as far as asin(sin r / cos dec).
-- Written out, for the planner does not inline functions whose arguments are long.
CREATE OR REPLACE FUNCTION sky_cells_statement(places text, r double precision, h double precision) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $$
SELECT format(
'SELECT p.id, p.ra, p."dec",
        CASE WHEN abs(p."dec") < %4$s AND p.ra > %5$s AND p.ra < %6$s
             THEN CAST(floor((p."dec" + o.j * %2$s + 90.0::float8) / %3$s) AS bigint) * 1048573
                  + CAST(floor((p.ra + o.i * %5$s) * %7$s) AS bigint)
             ELSE sky_cell(p.ra + o.i * sky_cell_reach(p."dec", %2$s), sky_cell_zone(p."dec" + o.j * %2$s, %3$s), %3$s)
        END AS cell
   FROM (%1$s) AS p
   JOIN (VALUES (-1.0::float8, -1.0::float8), (1.0, -1.0), (-1.0, 1.0), (1.0, 1.0)) AS o (i, j)
     ON (o.j < 0.0::float8 OR sky_cell_zone(p."dec" + %2$s, %3$s) <> sky_cell_zone(p."dec" - %2$s, %3$s))
    AND (o.i < 0.0::float8
         OR CASE WHEN abs(p."dec") < %4$s AND p.ra > %5$s AND p.ra < %6$s
                 THEN floor((p.ra + %5$s) * %7$s) <> floor((p.ra - %5$s) * %7$s)
                 ELSE sky_cell(p.ra + sky_cell_reach(p."dec", %2$s), sky_cell_zone(p."dec" + o.j * %2$s, %3$s), %3$s)
                      <> sky_cell(p.ra - sky_cell_reach(p."dec", %2$s), sky_cell_zone(p."dec" + o.j * %2$s, %3$s), %3$s)
            END)',
       places, format('%L::float8', r), format('%L::float8', h), format('%L::float8', 60.0::float8 - 2.0::float8 * h),
       format('%L::float8', 2.001::float8 * r), format('%L::float8', 359.9999::float8 - 2.001::float8 * r),
       format('%L::float8', floor(180.0::float8 / h) / 360.0::float8))
    $$;
COMMENT ON FUNCTION sky_cells_statement(text, double precision, double precision)
    IS 'The statement that gives each place once for each cell of height h [deg] that its circle of radius r [deg] touches';

-- The statement that gives all pairs (probe_id, base_id, s) nearer than r [deg]; s is the squared sine of half the angle.
-- By index: one search for each probe. What a search needs is computed in the arms of a UNION ALL, for there it is done
-- once a probe; the second arm has the images across RA 0.
-- By cells: each probe in the one to four cells that its circle touches, that is, in which its corners (i, j) lie.
-- No OFFSET and no set-returning function: either keeps the join from being done by several processes.
CREATE OR REPLACE FUNCTION sky_pair_statement(
    probe regclass, probe_key name, probe_ra name, probe_dec name,
    base regclass, base_key name, base_ra name, base_dec name, r double precision, is_indexed boolean
) RETURNS text
    LANGUAGE sql STABLE
    AS $$
SELECT CASE WHEN is_indexed THEN format(
'SELECT a.id AS probe_id, CAST(b.%1$I AS bigint) AS base_id, sky_sindist(a.image_ra, a."dec", b.%2$I, b.%3$I) AS s
   FROM (SELECT p.id, p."dec", p.image_ra, p.image_ra - p.w AS low, p.image_ra + p.w AS high, sky_zones(p."dec", %6$L::float8) AS zones
           FROM (SELECT t.id, t."dec", sky_ra(t.ra) AS image_ra, sky_half_width(t."dec", %6$L::float8) AS w FROM (%5$s) AS t) AS p
          UNION ALL
         SELECT p.id, p."dec", p.image_ra, p.image_ra - p.w, p.image_ra + p.w, sky_zones(p."dec", %6$L::float8)
           FROM (SELECT t.id, t."dec", sky_ra(t.ra) + sky_wrap(t.ra, t."dec", %6$L::float8) AS image_ra,
                        sky_half_width(t."dec", %6$L::float8) AS w
                   FROM (%5$s) AS t
                  WHERE sky_wrap(t.ra, t."dec", %6$L::float8) IS NOT NULL) AS p) AS a
   JOIN %4$s AS b
     ON sky_zone(b.%3$I) = ANY (a.zones) AND b.%2$I >= a.low AND b.%2$I <= a.high
    AND sky_sindist(a.image_ra, a."dec", b.%2$I, b.%3$I) < %7$L::float8',
       base_key, base_ra, base_dec, base, sky_places(probe, probe_key, probe_ra, probe_dec), r + 1e-9::float8,
       power(sin(radians(r) / 2.0::float8), 2.0::float8))
       ELSE format(
'SELECT a.id AS probe_id, b.id AS base_id, sky_sindist(a.ra, a."dec", b.ra, b."dec") AS s
   FROM (%1$s) AS a
   JOIN (SELECT q.id, q.ra, q."dec", sky_cell_at(q.ra, q."dec", %3$L::float8) AS cell FROM (%2$s) AS q) AS b ON b.cell = a.cell
  WHERE abs(a."dec" - b."dec") < %4$L::float8
    AND sky_sindist(a.ra, a."dec", b.ra, b."dec") < %5$L::float8',
       sky_cells_statement(sky_places(probe, probe_key, probe_ra, probe_dec), r + 1e-9::float8, sky_cell_height(r)),
       sky_places(base, base_key, base_ra, base_dec), sky_cell_height(r), r + 1e-9::float8,
       power(sin(radians(r) / 2.0::float8), 2.0::float8))
       END
    $$;
COMMENT ON FUNCTION sky_pair_statement(regclass, name, name, name, regclass, name, name, name, double precision, boolean)
    IS 'The statement that gives all pairs of two tables nearer than r [deg]';

-- Of pairs (left_id, right_id, s), those of a mode, with their separation.
CREATE OR REPLACE FUNCTION sky_mode_statement(pairs text, mode text) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $$
SELECT CASE mode
       WHEN 'all' THEN format('SELECT p.left_id, p.right_id, degrees(2 * asin(sqrt(p.s))) * 3600 FROM (%s) AS p', pairs)
       WHEN 'best' THEN format(
           'SELECT DISTINCT ON (p.left_id) p.left_id, p.right_id, degrees(2 * asin(sqrt(p.s))) * 3600 FROM (%s) AS p'
           ' ORDER BY p.left_id, p.s, p.right_id', pairs)
       ELSE format(
           'SELECT m.left_id, m.right_id, degrees(2 * asin(sqrt(m.s))) * 3600'
           '  FROM (SELECT p.*, row_number() OVER (PARTITION BY p.right_id ORDER BY p.s, p.left_id) AS place_right,'
           '               row_number() OVER (PARTITION BY p.left_id ORDER BY p.s, p.right_id) AS place_left'
           '          FROM (%s) AS p) AS m'
           ' WHERE m.place_left = 1 AND m.place_right = 1', pairs)
       END
    $$;
COMMENT ON FUNCTION sky_mode_statement(text, text) IS 'The statement that picks the pairs of a mode: all, best or mutual';

CREATE OR REPLACE FUNCTION sky_check_match(radius_arcsec double precision, mode text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    AS $$
BEGIN
    IF mode IS NULL OR mode NOT IN ('all', 'best', 'mutual') THEN
        RAISE 'mode: % (found) is none of all, best, mutual', quote_nullable(mode) USING ERRCODE = '22023';
    ELSIF radius_arcsec > 3600.0 AND radius_arcsec <> 'NaN' THEN
        RAISE 'radius: % arcsec (3600 at most). For wider circles join with q3c_join.', radius_arcsec USING ERRCODE = '22023';
    END IF;
END
    $$;
COMMENT ON FUNCTION sky_check_match(double precision, text) IS 'An error unless radius and mode of a match are possible';

-- The settings hold inside only: a hash join is what cells are for, a merge join would sort both tables by expressions;
-- statements with sky conditions look so dear to the planner that it would compile them.
CREATE OR REPLACE FUNCTION xmatch(
    left_table regclass, right_table regclass, radius_arcsec double precision, mode text DEFAULT 'all',
    left_key name DEFAULT NULL, right_key name DEFAULT NULL,
    left_ra name DEFAULT 'ra', left_dec name DEFAULT 'dec', right_ra name DEFAULT 'ra', right_dec name DEFAULT 'dec'
) RETURNS TABLE (left_id bigint, right_id bigint, sep_arcsec double precision)
    LANGUAGE plpgsql ROWS 100000
    SET search_path FROM CURRENT
    SET jit = off SET work_mem = '128MB' SET enable_mergejoin = off SET enable_hashjoin = on SET enable_nestloop = on
    AS $$
DECLARE
    r           double precision := radius_arcsec / 3600.0;
    n_left      double precision := sky_n_row(left_table);
    n_right     double precision := sky_n_row(right_table);
    by_right    boolean;
    by_left     boolean;
    is_swapped  boolean;
    pairs       text;
BEGIN
    PERFORM sky_check_match(radius_arcsec, mode);
    left_key := sky_key(left_table, left_key);
    right_key := sky_key(right_table, right_key);
    by_left := sky_is_indexed(left_table, sky_column(left_table, left_ra), sky_column(left_table, left_dec));
    by_right := sky_is_indexed(right_table, sky_column(right_table, right_ra), sky_column(right_table, right_dec));
    IF r IS NULL OR NOT (r > 0.0) OR r = 'NaN' THEN
        RETURN;
    END IF;
    -- Measured, in us of CPU: a search by the index 2.8; by cells 1.2 for a probe and 0.5 for a row of the other table.
    by_right := by_right AND (n_right > 3.0 * n_left OR n_left < 10000.0);
    by_left := by_left AND (n_left > 3.0 * n_right OR n_right < 10000.0);
    is_swapped := CASE WHEN by_left AND by_right THEN n_right < n_left
                       WHEN by_left OR by_right THEN by_left
                       ELSE n_right < n_left END;
    IF by_left OR by_right THEN
        SET LOCAL enable_hashjoin = off;
    END IF;
    IF is_swapped THEN
        pairs := 'SELECT q.base_id AS left_id, q.probe_id AS right_id, q.s FROM ('
              || sky_pair_statement(right_table, right_key, right_ra, right_dec,
                                    left_table, left_key, left_ra, left_dec, r, by_left) || ') AS q';
    ELSE
        pairs := 'SELECT q.probe_id AS left_id, q.base_id AS right_id, q.s FROM ('
              || sky_pair_statement(left_table, left_key, left_ra, left_dec,
                                    right_table, right_key, right_ra, right_dec, r, by_right) || ') AS q';
    END IF;
    RETURN QUERY EXECUTE sky_mode_statement(pairs, mode);
END
    $$;
COMMENT ON FUNCTION xmatch(regclass, regclass, double precision, text, name, name, name, name, name, name)
    IS 'Pairs of the rows of two tables or views nearer than a radius: all, best (the nearest of each left row) or mutual';
