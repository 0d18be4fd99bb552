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

-- Whether a table is one of the pipeline's (or a partition of one), which all have RA in [0, 360). Of others nobody knows
-- without reading them: they are searched a turn away from each place, too, for RA written from -180 to 180.
CREATE OR REPLACE FUNCTION sky_is_whole(p_table regclass) RETURNS boolean
    LANGUAGE sql STABLE
    AS $$
SELECT COALESCE(CAST(pg_partition_root($1) AS oid), $1) IN
       (to_regclass('ref_star'), to_regclass('source_sky'), to_regclass('star'), to_regclass('star_solution'),
        to_regclass('calibrated_source'), to_regclass('wcs_solution'))
   AND NOT EXISTS (SELECT FROM pg_class AS c WHERE c.oid = $1 AND c.relpersistence = 't')  -- somebody's own of that name
    $$;
COMMENT ON FUNCTION sky_is_whole(regclass) IS 'Whether RA in a table is known to be in [0, 360), the table being the pipeline''s';

-- The statement that gives all pairs (probe_id, base_id, sep_arcsec) nearer than r [deg] by the sky index of the base: one
-- search for each probe. What a search needs is computed in the arms of a UNION ALL, for there it is done once a probe; the
-- second arm has the images across RA 0, or a turn away. No OFFSET and no set-returning function: either keeps the join to
-- one process.
CREATE OR REPLACE FUNCTION sky_search_statement(
    places text, base regclass, base_key name, base_ra name, base_dec name, r double precision
) RETURNS text
    LANGUAGE sql STABLE
    AS $$
SELECT format(
'SELECT a.id AS probe_id, CAST(b.%1$I AS bigint) AS base_id,
        degrees(2 * asin(sqrt(sky_sindist(a.image_ra, a."dec", b.%2$I, b.%3$I)))) * 3600 AS sep_arcsec
   FROM (SELECT p.id, p."dec", p.image_ra, p.image_ra - p.w AS low, p.image_ra + p.w AS high, sky_zones(p."dec", %6$L::float8) AS zones
           FROM (SELECT t.id, t."dec", sky_ra(t.ra) AS image_ra, sky_half_width(t."dec", %6$L::float8) AS w FROM (%5$s) AS t) AS p
          UNION ALL
         SELECT p.id, p."dec", p.image_ra, p.image_ra - p.w, p.image_ra + p.w, sky_zones(p."dec", %6$L::float8)
           FROM (SELECT t.id, t."dec", sky_ra(t.ra) + %8$s(t.ra, t."dec", %6$L::float8) AS image_ra,
                        sky_half_width(t."dec", %6$L::float8) AS w
                   FROM (%5$s) AS t
                  WHERE %8$s(t.ra, t."dec", %6$L::float8) IS NOT NULL) AS p) AS a
   JOIN %4$s AS b
     ON sky_zone(b.%3$I) = ANY (a.zones) AND b.%2$I >= a.low AND b.%2$I <= a.high
    AND sky_sindist(a.image_ra, a."dec", b.%2$I, b.%3$I) < %7$L::float8',
       base_key, base_ra, base_dec, base, places, r + 1e-9::float8, power(sin(radians(r) / 2.0::float8), 2.0::float8),
       CASE WHEN sky_is_whole(base) THEN 'sky_wrap' ELSE 'sky_turn' END)
    $$;
COMMENT ON FUNCTION sky_search_statement(text, regclass, name, name, name, double precision)
    IS 'The statement that gives all pairs nearer than r [deg], searched in the sky index of the second table';

-- Of pairs (left_id, right_id, sep_arcsec), those of a mode.
CREATE OR REPLACE FUNCTION sky_mode_statement(pairs text, mode text) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $$
SELECT CASE mode
       WHEN 'all' THEN format('SELECT p.left_id, p.right_id, p.sep_arcsec FROM (%s) AS p', pairs)
       WHEN 'best' THEN format(
           'SELECT DISTINCT ON (p.left_id) p.left_id, p.right_id, p.sep_arcsec FROM (%s) AS p'
           ' ORDER BY p.left_id, p.sep_arcsec, p.right_id', pairs)
       ELSE format(
           'SELECT m.left_id, m.right_id, m.sep_arcsec'
           '  FROM (SELECT p.*, row_number() OVER (PARTITION BY p.right_id ORDER BY p.sep_arcsec, p.left_id) AS place_right,'
           '               row_number() OVER (PARTITION BY p.left_id ORDER BY p.sep_arcsec, p.right_id) AS place_left'
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

-- Whether matching by the sky index of the base costs less than by cells. Measured, in us of CPU: a search 2.8 and 0.7
-- for each pair it finds; by cells 0.9 for a probe and 0.5 for a row of the base. How many pairs a search finds is asked of
-- the first 300 probes, where it matters.
CREATE OR REPLACE FUNCTION sky_is_search_cheaper(
    probe regclass, probe_key name, probe_ra name, probe_dec name, n_probe double precision,
    base regclass, base_key name, base_ra name, base_dec name, n_base double precision, r double precision
) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
DECLARE
    n_pair double precision := 0.0;
BEGIN
    IF NOT sky_is_indexed(base, base_ra, base_dec) THEN
        RETURN false;
    ELSIF n_probe >= 10000.0 AND n_base < 200.0 * n_probe THEN
        EXECUTE format('SELECT count(*) / 300.0 FROM (%s) AS p',
                       sky_search_statement(sky_places(probe, probe_key, probe_ra, probe_dec) || ' LIMIT 300',
                                            base, base_key, base_ra, base_dec, r)) INTO n_pair;
    END IF;
    RETURN n_probe < 10000.0 OR 1.9 + 0.7 * n_pair < 0.5 * n_base / n_probe;
END
    $$;
COMMENT ON FUNCTION sky_is_search_cheaper(regclass, name, name, name, double precision,
                                          regclass, name, name, name, double precision, double precision)
    IS 'Whether a match costs less by the sky index of the second table than by cells';

-- The settings hold inside only: a hash join is what cells are for, a merge join would sort both tables by expressions;
-- statements with sky conditions look so dear to the planner that it would compile them, which pays for long tables only, and
-- without inlining the operators' functions (that took 2 s more than it saved);
-- the rows it expects are so many that handing them over would seem dearer than to work alone.
-- What a function returns is stored until it ends, in memory while work_mem allows as the store is made: by the first
-- RETURN QUERY, which is empty. Rows of 1e7 pairs are 0.6 to 0.9 GB.
CREATE OR REPLACE FUNCTION xmatch(
    left_table regclass, right_table regclass, radius_arcsec double precision, mode text DEFAULT 'all',
    left_key name DEFAULT NULL, right_key name DEFAULT NULL,
    left_ra name DEFAULT 'ra', left_dec name DEFAULT 'dec', right_ra name DEFAULT 'ra', right_dec name DEFAULT 'dec'
) RETURNS TABLE (left_id bigint, right_id bigint, sep_arcsec double precision)
    LANGUAGE plpgsql ROWS 100000
    SET search_path FROM CURRENT
    SET jit = off SET jit_inline_above_cost = -1 SET work_mem = '128MB' SET enable_mergejoin = off SET enable_hashjoin = on SET enable_nestloop = on
    SET parallel_tuple_cost = 0
    AS $$
DECLARE
    r           double precision := radius_arcsec / 3600.0;
    n_left      double precision := sky_n_row(left_table);
    n_right     double precision := sky_n_row(right_table);
    is_swapped  boolean;
    pairs       text;
BEGIN
    PERFORM sky_check_match(radius_arcsec, mode);
    left_key := sky_key(left_table, left_key);
    right_key := sky_key(right_table, right_key);
    PERFORM sky_column(left_table, left_ra), sky_column(left_table, left_dec),
            sky_column(right_table, right_ra), sky_column(right_table, right_dec);
    IF r IS NULL OR NOT (r > 0.0) OR r = 'NaN' THEN
        RETURN;
    END IF;
    EXECUTE format('SET LOCAL work_mem = %L', greatest(131072, least(1048576, pg_size_bytes(current_setting('shared_buffers')) / 3072)));
    RETURN QUERY SELECT NULL::bigint, NULL::bigint, NULL::double precision WHERE false;
    SET LOCAL work_mem = '128MB';
    -- The shorter table probes; a short list searches the other's index whichever is shorter.
    is_swapped := n_right < n_left;
    SET LOCAL enable_hashjoin = off;
    IF NOT is_swapped AND sky_is_search_cheaper(left_table, left_key, left_ra, left_dec, n_left,
                                                right_table, right_key, right_ra, right_dec, n_right, r) THEN
        pairs := sky_search_statement(sky_places(left_table, left_key, left_ra, left_dec),
                                      right_table, right_key, right_ra, right_dec, r);
    ELSIF sky_is_search_cheaper(right_table, right_key, right_ra, right_dec, n_right,
                                left_table, left_key, left_ra, left_dec, n_left, r) THEN
        is_swapped := true;
        pairs := sky_search_statement(sky_places(right_table, right_key, right_ra, right_dec),
                                      left_table, left_key, left_ra, left_dec, r);
    ELSIF is_swapped AND sky_is_search_cheaper(left_table, left_key, left_ra, left_dec, n_left,
                                               right_table, right_key, right_ra, right_dec, n_right, r) THEN
        is_swapped := false;
        pairs := sky_search_statement(sky_places(left_table, left_key, left_ra, left_dec),
                                      right_table, right_key, right_ra, right_dec, r);
    ELSE
        SET LOCAL enable_hashjoin = on;
        IF n_left + n_right > 5e6 THEN
            SET LOCAL jit = on;  -- a seventh less, where the server can; for a short list compiling takes longer than the search
        END IF;
        IF is_swapped THEN
            pairs := sky_cell_join_statement(right_table, right_key, right_ra, right_dec, n_right,
                                             left_table, left_key, left_ra, left_dec, n_left, r);
        ELSE
            pairs := sky_cell_join_statement(left_table, left_key, left_ra, left_dec, n_left,
                                             right_table, right_key, right_ra, right_dec, n_right, r);
        END IF;
    END IF;
    RETURN QUERY EXECUTE sky_mode_statement(
        format(CASE WHEN is_swapped THEN 'SELECT q.base_id AS left_id, q.probe_id AS right_id, q.sep_arcsec FROM (%s) AS q'
                    ELSE 'SELECT q.probe_id AS left_id, q.base_id AS right_id, q.sep_arcsec FROM (%s) AS q' END, pairs), mode);
END
    $$;
COMMENT ON FUNCTION xmatch(regclass, regclass, double precision, text, name, name, name, name, name, name)
    IS 'Pairs of the rows of two tables or views nearer than radius_arcsec [arcsec]: mode all, best (the nearest of each left row) or mutual; places [deg], sep_arcsec [arcsec]';
