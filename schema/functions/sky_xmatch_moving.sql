-- Matches of a table whose rows move: each is carried along its great circle to the epoch of what it is compared with.
-- No parallax and no radial velocity; both are below 1 mas for all but some dozen stars.

-- u + (pm_ra e + pm_dec n) t, of unit length again: exact at the poles, where linear motion in ra and dec is not.
CREATE OR REPLACE FUNCTION sky_sindist_moving(
    ra1 double precision, dec1 double precision, pm_ra_mas_yr double precision, pm_dec_mas_yr double precision,
    years double precision, ra2 double precision, dec2 double precision
) RETURNS double precision
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
DECLARE
    east  double precision := COALESCE(radians(pm_ra_mas_yr * years / 3.6e6), 0.0);
    north double precision := COALESCE(radians(pm_dec_mas_yr * years / 3.6e6), 0.0);
    scale double precision := sqrt(1.0 + east * east + north * north);
    a     double precision := radians(ra1);
    d     double precision := radians(dec1);
    x     double precision := (cos(d) * cos(a) - east * sin(a) - north * sin(d) * cos(a)) / scale;
    y     double precision := (cos(d) * sin(a) + east * cos(a) - north * sin(d) * sin(a)) / scale;
    z     double precision := (sin(d) + north * cos(d)) / scale;
BEGIN
    a := radians(ra2);
    d := radians(dec2);
    RETURN (power(x - cos(d) * cos(a), 2) + power(y - cos(d) * sin(a), 2) + power(z - sin(d), 2)) / 4.0;
END
    $$;
COMMENT ON FUNCTION sky_sindist_moving(double precision, double precision, double precision, double precision,
                                       double precision, double precision, double precision)
    IS 'Squared sine of half the angle between a direction after some years of proper motion and another; NULL motion is none';

CREATE OR REPLACE FUNCTION sky_moved(
    ra double precision, "dec" double precision, pm_ra_mas_yr double precision, pm_dec_mas_yr double precision,
    years double precision
) RETURNS double precision[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
DECLARE
    east  double precision := COALESCE(radians(pm_ra_mas_yr * years / 3.6e6), 0.0);
    north double precision := COALESCE(radians(pm_dec_mas_yr * years / 3.6e6), 0.0);
    a     double precision := radians(ra);
    d     double precision := radians("dec");
    x     double precision := cos(d) * cos(a) - east * sin(a) - north * sin(d) * cos(a);
    y     double precision := cos(d) * sin(a) + east * cos(a) - north * sin(d) * sin(a);
    z     double precision := sin(d) + north * cos(d);
BEGIN
    RETURN ARRAY[sky_ra(degrees(atan2(y, x))), degrees(atan2(z, sqrt(x * x + y * y)))];
END
    $$;
COMMENT ON FUNCTION sky_moved(double precision, double precision, double precision, double precision, double precision)
    IS '{ra, dec} of a direction after some years of proper motion along its great circle';

-- All cells that a circle of any radius touches.
CREATE OR REPLACE FUNCTION sky_cells(ra double precision, "dec" double precision, r double precision, h double precision)
    RETURNS SETOF bigint
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE ROWS 4
    AS $$
DECLARE
    w     double precision := CASE WHEN abs("dec") + r >= 90.0 THEN 180.0 ELSE sky_cell_reach("dec", r) END;
    whole double precision := sky_ra(ra);
    n     bigint;
BEGIN
    FOR band IN sky_cell_zone(greatest("dec" - r, -90.0), h) .. sky_cell_zone(least("dec" + r, 90.0), h) LOOP
        n := 1 + sky_cell(359.99999999, band, h) - sky_cell(0.0, band, h);
        RETURN QUERY SELECT DISTINCT CAST(band AS bigint) * 1048573 + mod(mod(k, n) + n, n)
                       FROM generate_series(CAST(floor((whole - w) / 360.0 * n) AS bigint),
                                            least(CAST(floor((whole + w) / 360.0 * n) AS bigint),
                                                  CAST(floor((whole - w) / 360.0 * n) AS bigint) + n)) AS k;
    END LOOP;
END
    $$;
COMMENT ON FUNCTION sky_cells(double precision, double precision, double precision, double precision)
    IS 'Numbers of all cells (sky_cell) of height h [deg] that a circle of radius r [deg] touches';

-- Largest difference [yr] between an epoch of one table and one of another, both MJD.
CREATE OR REPLACE FUNCTION sky_epoch_span(p_left regclass, p_left_epoch name, p_right regclass, p_right_epoch name)
    RETURNS double precision
    LANGUAGE plpgsql STABLE
    AS $$
DECLARE
    span  double precision;
    early double precision;
BEGIN
    EXECUTE format('SELECT greatest(a.high - b.low, b.high - a.low) / 365.25, least(a.high, b.high)'
                   '  FROM (SELECT min(NULLIF(CAST(t.%I AS double precision), ''NaN'')), max(NULLIF(CAST(t.%1$I AS double precision), ''NaN'')) FROM %s AS t) AS a (low, high),'
                   '       (SELECT min(NULLIF(CAST(t.%I AS double precision), ''NaN'')), max(NULLIF(CAST(t.%3$I AS double precision), ''NaN'')) FROM %s AS t) AS b (low, high)',
                   p_left_epoch, p_left, p_right_epoch, p_right) INTO span, early;
    -- MJD 3000 is of the year 1867, before all catalogs with epochs
    IF early BETWEEN 1800.0 AND 3000.0 THEN
        RAISE 'epoch: % is a year (needed: MJD)', early
            USING ERRCODE = '22023', HINT = 'MJD = 51544.5 + (year - 2000) * 365.25, in a view or a column of the table.';
    END IF;
    RETURN COALESCE(span, 0.0);
END
    $$;
COMMENT ON FUNCTION sky_epoch_span(regclass, name, regclass, name)
    IS 'Largest difference [yr] between an epoch (MJD) of one table and one of another';

CREATE OR REPLACE FUNCTION xmatch_moving(
    left_table regclass, right_table regclass, radius_arcsec double precision, mode text DEFAULT 'all',
    left_key name DEFAULT NULL, right_key name DEFAULT NULL,
    left_epoch name DEFAULT 'epoch_mjd', right_epoch name DEFAULT 'obs_mjd',
    left_pm_ra name DEFAULT 'pm_ra_mas_yr', left_pm_dec name DEFAULT 'pm_dec_mas_yr',
    left_ra name DEFAULT 'ra', left_dec name DEFAULT 'dec', right_ra name DEFAULT 'ra', right_dec name DEFAULT 'dec'
) RETURNS TABLE (left_id bigint, right_id bigint, sep_arcsec double precision)
    LANGUAGE plpgsql ROWS 100000
    SET search_path FROM CURRENT
    SET jit = off SET work_mem = '128MB' SET enable_mergejoin = off SET enable_hashjoin = on SET enable_nestloop = on
    AS $$
DECLARE
    r          double precision := radius_arcsec / 3600.0;
    h          double precision := greatest(16.0 * r, 0.002);
    n_left     double precision := sky_n_row(left_table);
    n_right    double precision := sky_n_row(right_table);
    is_indexed boolean;
    span       double precision;
    movers     text;
    fixed      text;
    pairs      text;
BEGIN
    PERFORM sky_check_match(radius_arcsec, mode);
    left_key := sky_key(left_table, left_key);
    right_key := sky_key(right_table, right_key);
    left_epoch := sky_column(left_table, left_epoch);
    right_epoch := sky_column(right_table, right_epoch);
    left_pm_ra := sky_column(left_table, left_pm_ra);
    left_pm_dec := sky_column(left_table, left_pm_dec);
    PERFORM sky_column(left_table, left_ra), sky_column(left_table, left_dec);
    is_indexed := sky_is_indexed(right_table, sky_column(right_table, right_ra), sky_column(right_table, right_dec))
                  AND 3.0 * n_left < 6.0 * n_right + 10000.0;
    IF r IS NULL OR NOT (r > 0.0) OR r = 'NaN' THEN
        RETURN;
    END IF;
    span := sky_epoch_span(left_table, left_epoch, right_table, right_epoch);
    IF is_indexed THEN
        SET LOCAL enable_hashjoin = off;
    ELSE
        SET LOCAL enable_nestloop = off;
    END IF;
    -- NaN among motions is none, like NULL.
    movers := format(
        'SELECT m.*, %L::float8 + COALESCE(sqrt(m.pm_ra * m.pm_ra + m.pm_dec * m.pm_dec), 0.0::float8) * %L::float8 / 3.6e6::float8 AS reach'
        '  FROM (SELECT CAST(t.%I AS bigint) AS id, CAST(t.%I AS double precision) AS ra, CAST(t.%I AS double precision) AS "dec",'
        '               CAST(t.%I AS double precision) AS epoch,'
        '               NULLIF(CAST(t.%I AS double precision), ''NaN'') AS pm_ra, NULLIF(CAST(t.%I AS double precision), ''NaN'') AS pm_dec'
        '          FROM %s AS t'
        '         WHERE t.%5$I BETWEEN -90 AND 90 AND t.%4$I > ''-Infinity'' AND t.%4$I < ''Infinity'' OFFSET 0) AS m',
        r + 1e-9, abs(span), left_key, left_ra, left_dec, left_epoch, left_pm_ra, left_pm_dec, left_table);
    fixed := format(
        'SELECT CAST(t.%I AS bigint) AS id, CAST(t.%I AS double precision) AS ra, CAST(t.%I AS double precision) AS "dec",'
        ' CAST(t.%I AS double precision) AS epoch FROM %s AS t'
        ' WHERE t.%3$I BETWEEN -90 AND 90 AND t.%2$I > ''-Infinity'' AND t.%2$I < ''Infinity''',
        right_key, right_ra, right_dec, right_epoch, right_table);
    IF is_indexed THEN
        pairs := format(
            'SELECT a.id AS left_id, CAST(b.%I AS bigint) AS right_id, sky_sindist_moving(a.ra, a."dec", a.pm_ra, a.pm_dec,'
            '       (CAST(b.%I AS double precision) - a.epoch) / 365.25::float8, b.%I, b.%I) AS s'
            '  FROM (SELECT p.*, unnest(%s(p.ra, p."dec", p.reach)) AS image_ra FROM (%s) AS p) AS a'
            '  JOIN %s AS b ON sky_near(a.image_ra, a."dec", b.%3$I, b.%4$I, a.reach)',
            right_key, right_epoch, right_ra, right_dec,
            CASE WHEN sky_is_whole(right_table) THEN 'sky_images' ELSE 'sky_images_turn' END, movers, right_table);
    ELSE
        pairs := format(
            'SELECT a.id AS left_id, b.id AS right_id, sky_sindist_moving(a.ra, a."dec", a.pm_ra, a.pm_dec,'
            '       (b.epoch - a.epoch) / 365.25::float8, b.ra, b."dec") AS s'
            '  FROM (SELECT p.*, sky_cells(p.ra, p."dec", p.reach, %1$L::float8) AS cell FROM (%2$s) AS p) AS a'
            '  JOIN (SELECT q.*, sky_cell(q.ra, sky_cell_zone(q."dec", %1$L::float8), %1$L::float8) AS cell FROM (%3$s) AS q) AS b'
            '    ON b.cell = a.cell',
            h, movers, fixed);
    END IF;
    RETURN QUERY EXECUTE sky_mode_statement(
        format('SELECT q.left_id, q.right_id, degrees(2 * asin(sqrt(q.s))) * 3600 AS sep_arcsec FROM (%s) AS q'
               ' WHERE q.s < power(sin(radians(%L::float8) / 2.0::float8), 2.0::float8)', pairs, r), mode);
END
    $$;
COMMENT ON FUNCTION xmatch_moving(regclass, regclass, double precision, text, name, name, name, name, name, name, name,
                                  name, name, name)
    IS 'xmatch with each left row moved by its proper motion [mas/yr], that in RA times cos(dec), to the epoch [d, MJD] of the right row; radius_arcsec, sep_arcsec [arcsec]';
