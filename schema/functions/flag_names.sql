-- Flag words by name; the bits stand in flag_doc.
CREATE OR REPLACE FUNCTION sky_flag_names(bits bigint, p_kind text) RETURNS text[]
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
SELECT CASE WHEN $1 IS NOT NULL THEN
       ARRAY(SELECT d.name FROM flag_doc AS d
              WHERE d.kind = $2 AND ($1 >> d.bit_number) & 1 = 1 ORDER BY d.bit_number) END
    $$;
COMMENT ON FUNCTION sky_flag_names(bigint, text) IS 'Names of the bits set in a flag word of a kind';

CREATE OR REPLACE FUNCTION sky_flag_bits(names text[], p_kind text) RETURNS bigint
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    AS $$
DECLARE
    wanted text;
    bits   bigint := 0;
    bit    smallint;
BEGIN
    FOREACH wanted IN ARRAY names LOOP
        SELECT d.bit_number INTO bit FROM flag_doc AS d WHERE d.kind = p_kind AND upper(d.name) = upper(wanted);
        IF bit IS NULL THEN
            RAISE 'flag "%": there is none of this name (found: %)', wanted,
                  (SELECT string_agg(d.name, ', ' ORDER BY d.bit_number) FROM flag_doc AS d WHERE d.kind = p_kind)
                USING ERRCODE = '22023';
        END IF;
        bits := bits | (CAST(1 AS bigint) << bit);
    END LOOP;
    RETURN bits;
END
    $$;
COMMENT ON FUNCTION sky_flag_bits(text[], text) IS 'The flag word of a kind with these bits set';

CREATE OR REPLACE FUNCTION mask_names(bits bigint) RETURNS text[]
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT sky_flag_names($1, 'pixel') $$;
COMMENT ON FUNCTION mask_names(bigint) IS 'Names of the planes of a pixel mask';

CREATE OR REPLACE FUNCTION mask_bits(VARIADIC names text[]) RETURNS bigint
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT sky_flag_bits($1, 'pixel') $$;
COMMENT ON FUNCTION mask_bits(text[]) IS 'The pixel mask with these planes set';

CREATE OR REPLACE FUNCTION flag_names(bits bigint) RETURNS text[]
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT sky_flag_names($1, 'source') $$;
COMMENT ON FUNCTION flag_names(bigint) IS 'Names of the flags set in source.flags';

CREATE OR REPLACE FUNCTION flag_bits(VARIADIC names text[]) RETURNS bigint
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT sky_flag_bits($1, 'source') $$;
COMMENT ON FUNCTION flag_bits(text[]) IS 'source.flags with these flags set';

CREATE OR REPLACE FUNCTION fPhotoFlags(name text) RETURNS bigint
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT sky_flag_bits(ARRAY[$1], 'source') $$;
COMMENT ON FUNCTION fPhotoFlags(text) IS 'source.flags with one flag set (the name of SDSS)';

CREATE OR REPLACE FUNCTION fPhotoFlagsN(bits bigint) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT array_to_string(sky_flag_names($1, 'source'), ' ') $$;
COMMENT ON FUNCTION fPhotoFlagsN(bigint) IS 'Names of the flags set in source.flags, in one line (the name of SDSS)';
