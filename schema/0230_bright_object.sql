-- Flags that need a WCS: which sources lie in the mask of a very bright reference star. Rows of source are those of detect,
-- which knows no sky, and are not changed any more; what calibrate finds is with the other things that it finds.
ALTER TABLE source_sky ADD COLUMN sky_flags bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN source_sky.sky_flags IS '[-] {meta.code.qual} flag bits that a WCS is needed for (bright_object, bright_object_center), to be joined to source.flags by |';

-- runs that are put aside must fit when they come back
DO $$
DECLARE
    branch text;
BEGIN
    FOR branch IN SELECT c.oid::regclass::text
                    FROM pg_class AS c
                    JOIN pg_namespace AS n ON n.oid = c.relnamespace
                   WHERE n.nspname = 'archive' AND c.relname ~ '^source_sky_r[0-9]+$' AND NOT c.relispartition LOOP
        EXECUTE format('ALTER TABLE %s ADD COLUMN sky_flags bigint NOT NULL DEFAULT 0', branch);
    END LOOP;
END
$$;
