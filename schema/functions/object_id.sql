-- Object ids of HSC-SSP: tract << 42 | patch_x << 37 | patch_y << 32 | running number.
CREATE OR REPLACE FUNCTION tract_from_object_id(object_id bigint) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT CAST($1 >> 42 AS integer) $$;
COMMENT ON FUNCTION tract_from_object_id(bigint) IS 'Tract of an object id';

CREATE OR REPLACE FUNCTION patch_from_object_id(object_id bigint) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT CAST(100 * (($1 >> 37) & 31) + (($1 >> 32) & 31) AS integer) $$;
COMMENT ON FUNCTION patch_from_object_id(bigint) IS 'Patch of an object id: 100 patch_x + patch_y';

CREATE OR REPLACE FUNCTION patch_s_from_object_id(object_id bigint) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT CAST(($1 >> 37) & 31 AS text) || ',' || CAST(($1 >> 32) & 31 AS text) $$;
COMMENT ON FUNCTION patch_s_from_object_id(bigint) IS 'Patch of an object id as text: patch_x,patch_y';

CREATE OR REPLACE FUNCTION skymap_from_object_id(object_id bigint) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT CAST(10000 * ($1 >> 42) + 100 * (($1 >> 37) & 31) + (($1 >> 32) & 31) AS integer) $$;
COMMENT ON FUNCTION skymap_from_object_id(bigint) IS 'Tract and patch of an object id: 10000 tract + 100 patch_x + patch_y';

CREATE OR REPLACE FUNCTION tractSearch(object_id bigint, first_tract integer, last_tract integer) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT $1 >= CAST($2 AS bigint) << 42 AND $1 < (CAST($3 AS bigint) + 1) << 42 $$;
COMMENT ON FUNCTION tractSearch(bigint, integer, integer) IS 'Whether an object id belongs to one of the tracts from first to last';

CREATE OR REPLACE FUNCTION tractSearch(object_id bigint, tract integer) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT $1 >= CAST($2 AS bigint) << 42 AND $1 < (CAST($2 AS bigint) + 1) << 42 $$;
COMMENT ON FUNCTION tractSearch(bigint, integer) IS 'Whether an object id belongs to a tract';
