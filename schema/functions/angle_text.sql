-- Angles as people write them. Colons, blanks or letters (h m s d) part the numbers.
CREATE OR REPLACE FUNCTION sky_sexagesimal(written text) RETURNS double precision
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
DECLARE
    part text[] := regexp_match(btrim(written),
                                '^([+-]?)\s*(\d+(?:\.\d*)?)(?:[:\shd°]\s*(\d+(?:\.\d*)?)(?:[:\sm''′]\s*(\d+(?:\.\d*)?)[s"″]?)?[m''′]?)?[hd°]?$');
BEGIN
    IF part IS NULL OR COALESCE(CAST(part[3] AS double precision), 0.0) >= 60.0
       OR COALESCE(CAST(part[4] AS double precision), 0.0) >= 60.0 THEN
        RAISE 'angle: "%" cannot be read (needed e.g. 10:12:13.4 or -05 10 20)', written USING ERRCODE = '22007';
    END IF;
    RETURN CASE WHEN part[1] = '-' THEN -1.0 ELSE 1.0 END
         * (CAST(part[2] AS double precision) + COALESCE(CAST(part[3] AS double precision), 0.0) / 60.0
            + COALESCE(CAST(part[4] AS double precision), 0.0) / 3600.0);
END
    $$;
COMMENT ON FUNCTION sky_sexagesimal(text) IS 'The number that is written in parts of sixty';

CREATE OR REPLACE FUNCTION hms2deg(hms text) RETURNS double precision
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT 15.0::float8 * sky_sexagesimal($1) $$;
COMMENT ON FUNCTION hms2deg(text) IS 'Degrees of HH:MM:SS.SS';

CREATE OR REPLACE FUNCTION dms2deg(dms text) RETURNS double precision
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT sky_sexagesimal($1) $$;
COMMENT ON FUNCTION dms2deg(text) IS 'Degrees of +DD:MM:SS.SS';

-- Rounded first and then taken apart, so that there never are 60 seconds. Of NaN and infinity there is no text: NULL.
CREATE OR REPLACE FUNCTION sky_in_sixties(number double precision, n_digit integer) RETURNS text
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
DECLARE
    units numeric := round(CAST(abs(number) AS numeric) * 3600, n_digit);
    whole bigint := trunc(units);
BEGIN
    RETURN lpad(CAST(whole / 3600 AS text), 2, '0') || ':' || lpad(CAST(whole / 60 % 60 AS text), 2, '0') || ':'
        || lpad(CAST(round(units - whole / 60 * 60, n_digit) AS text), CASE WHEN n_digit > 0 THEN 3 + n_digit ELSE 2 END, '0');
END
    $$;
COMMENT ON FUNCTION sky_in_sixties(double precision, integer) IS 'A number written in parts of sixty';

CREATE OR REPLACE FUNCTION deg2hms(deg double precision, n_digit integer DEFAULT 3) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
SELECT sky_in_sixties(CASE WHEN NOT abs($1) < 'Infinity'::float8 THEN NULL
                           WHEN round(CAST(sky_ra($1) * 240.0::float8 AS numeric), $2) >= 86400 THEN 0.0::float8
                           ELSE sky_ra($1) / 15.0::float8 END, $2)
    $$;
COMMENT ON FUNCTION deg2hms(double precision, integer) IS 'Right ascension [deg] as HH:MM:SS.SSS with n_digit digits of a second';

CREATE OR REPLACE FUNCTION deg2dms(deg double precision, n_digit integer DEFAULT 2) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
SELECT CASE WHEN $1 < 0.0::float8 THEN '-' ELSE '+' END
       || sky_in_sixties(CASE WHEN abs($1) < 'Infinity'::float8 THEN $1 END, $2)
    $$;
COMMENT ON FUNCTION deg2dms(double precision, integer) IS 'Degrees as +DD:MM:SS.SS with n_digit digits of a second';
