-- The scratch tables of the match stage: temporary, gone at the end of its transaction. Places are unit vectors (x, y, z),
-- so that neither RA 0/360 nor the poles are special; `cell` numbers cubes of space, so that neighbors are found by the
-- equality of integers, which is hashed (measured: 1e6 x 1e6 points in 1.2 s, twice as fast as any sky index).
CREATE OR REPLACE FUNCTION match_work() RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    DROP TABLE IF EXISTS match_frame, match_observation, match_center, match_link, match_group, match_ref,
                         match_name;
    CREATE TEMP TABLE match_frame (
        visit          bigint           NOT NULL,
        ccd            integer          NOT NULL,
        obs_mjd        double precision,
        sky_task_id    bigint           NOT NULL,
        sky_run_id     bigint           NOT NULL,
        source_task_id bigint           NOT NULL,
        source_run_id  bigint           NOT NULL
    ) ON COMMIT DROP;
    -- epoch: detections of one epoch cannot be one star; the visit, or the frame where overlapping CCDs are to be tied.
    -- number: a short running number. PostgreSQL hashes a bigint by the exclusive or of its halves; with visit and CCD in
    -- the upper half of source_id all sources of a tract share a few thousand codes, and joins on it take 50 times as long.
    CREATE TEMP TABLE match_observation (
        number     integer          NOT NULL,
        source_id  bigint           NOT NULL,
        visit      bigint           NOT NULL,
        ccd        integer          NOT NULL,
        epoch      bigint           NOT NULL,
        ra         double precision NOT NULL,
        dec        double precision NOT NULL,
        x          double precision NOT NULL,
        y          double precision NOT NULL,
        z          double precision NOT NULL,
        flux_njy   double precision,
        snr        double precision NOT NULL,
        obs_mjd    double precision,
        cell       bigint           NOT NULL
    ) ON COMMIT DROP;
    -- Centers of groups of the present pass, named by the number of the seed they grew from.
    CREATE TEMP TABLE match_center (
        star     integer          NOT NULL,
        n_epoch  integer          NOT NULL,
        ra       double precision NOT NULL,
        dec      double precision NOT NULL,
        x        double precision NOT NULL,
        y        double precision NOT NULL,
        z        double precision NOT NULL
    ) ON COMMIT DROP;
    CREATE TEMP TABLE match_link (
        pass       integer          NOT NULL,
        star       integer          NOT NULL,
        epoch      bigint           NOT NULL,
        number     integer          NOT NULL
    ) ON COMMIT DROP;
    CREATE TEMP TABLE match_group (
        star           integer          NOT NULL,
        ra            double precision NOT NULL,
        dec           double precision NOT NULL,
        x             double precision NOT NULL,
        y             double precision NOT NULL,
        z             double precision NOT NULL,
        obs_mjd       double precision,
        flux_njy      double precision,
        n_observation integer          NOT NULL,
        n_visit       integer          NOT NULL,
        is_ambiguous  boolean          NOT NULL
    ) ON COMMIT DROP;
    CREATE TEMP TABLE match_ref (
        star            integer          NOT NULL,
        ref_catalog_id  integer          NOT NULL,
        ref_id          bigint           NOT NULL,
        chord2          double precision NOT NULL,
        epoch_mjd       double precision NOT NULL,
        ra              double precision NOT NULL,
        dec             double precision NOT NULL
    ) ON COMMIT DROP;
    -- The groups that become stars, and their numbers.
    CREATE TEMP TABLE match_name (
        star     integer NOT NULL,
        star_id  bigint  NOT NULL
    ) ON COMMIT DROP;
    -- Hashes and sorts of 1e6 short rows stay in memory.
    PERFORM set_config('work_mem', '128MB', true);
    -- Neighbors are joined by cells, which are hashed: a merge join would sort both sides by them.
    PERFORM set_config('enable_mergejoin', 'off', true);
END
$$;
COMMENT ON FUNCTION match_work() IS 'Make the temporary tables of the match stage';

-- A temporary table has no statistics until it is analyzed, and autovacuum never sees it.
CREATE OR REPLACE FUNCTION match_analyze(p_table text) RETURNS boolean
    LANGUAGE plpgsql
    -- 6000 rows are looked at, not 30000: joins here are of equal integers, of which the number is what matters
    SET default_statistics_target = 20
    AS $$
BEGIN
    EXECUTE format('ANALYZE %I', p_table);
    RETURN true;
END
$$;
COMMENT ON FUNCTION match_analyze(text) IS 'Refresh the statistics of a temporary table of the match stage';

-- Number of the cube of side p_side that holds a point of the unit sphere; 21 bits per axis allow sides down to 1e-6.
CREATE OR REPLACE FUNCTION match_cell(p_x double precision, p_y double precision, p_z double precision, p_side double precision)
    RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT (CAST(floor((p_x + 1.0::float8) / p_side) AS bigint) << 42)
     + (CAST(floor((p_y + 1.0::float8) / p_side) AS bigint) << 21)
     +  CAST(floor((p_z + 1.0::float8) / p_side) AS bigint)
$$;
COMMENT ON FUNCTION match_cell(double precision, double precision, double precision, double precision) IS 'Number of the cube of space that holds a direction';
