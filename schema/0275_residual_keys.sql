-- Residuals come star by star: with the star first their key grows at its end alone, and serves searches by star, too.
-- Three indexes made writing them six times as long as the table by itself, these two three times.
DO $$
DECLARE
    put_aside regclass;
    old_key   text;
BEGIN
    -- partitions of archived runs stand alone; with another primary key they could not be attached again
    FOR put_aside IN
        SELECT c.oid
          FROM pg_class AS c
          JOIN pg_namespace AS n ON n.oid = c.relnamespace
         WHERE n.nspname = 'archive' AND c.relkind = 'r' AND c.relname ~ '^star_residual_r[0-9]+$'
    LOOP
        SELECT k.conname INTO old_key FROM pg_constraint AS k WHERE k.conrelid = put_aside AND k.contype = 'p';
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', put_aside, old_key);
        EXECUTE format('ALTER TABLE %s ADD PRIMARY KEY (task_id, star_id, source_id, run_id)', put_aside);
    END LOOP;
END
$$;
ALTER TABLE star_residual DROP CONSTRAINT star_residual_pkey;
ALTER TABLE star_residual ADD PRIMARY KEY (task_id, star_id, source_id, run_id);
DROP INDEX star_residual_star;
DROP INDEX star_residual_frame;
CREATE INDEX star_residual_frame ON star_residual (visit, ccd);
