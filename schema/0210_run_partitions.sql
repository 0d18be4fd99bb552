-- The rows that grow with the detections of a tract lie apart by run, as those of source do: to drop or put aside a run is
-- then to drop or detach tables. Their foreign keys go: to look up each row's star or task took half of the time of
-- inserting it (7 us a row); `hscdb db check` counts what no done task stands for, and task_gone deletes what a deleted task
-- has left in them.
DROP VIEW IF EXISTS star_summary;
ALTER TABLE star_member RENAME TO star_member_before;
ALTER TABLE star_residual RENAME TO star_residual_before;
ALTER TABLE calibrated_source RENAME TO calibrated_source_before;
CREATE TABLE star_member (LIKE star_member_before INCLUDING COMMENTS INCLUDING DEFAULTS) PARTITION BY LIST (run_id);
CREATE TABLE star_residual (LIKE star_residual_before INCLUDING COMMENTS INCLUDING DEFAULTS) PARTITION BY LIST (run_id);
CREATE TABLE calibrated_source (LIKE calibrated_source_before INCLUDING COMMENTS INCLUDING DEFAULTS) PARTITION BY LIST (run_id);
COMMENT ON TABLE star_member IS 'The detections of a star';
COMMENT ON TABLE star_residual IS 'Residual of every detection, before (first calibration) and after the joint solution: detection minus star';
COMMENT ON TABLE calibrated_source IS 'Sources with the joint solution applied';

DO $$
DECLARE
    whole text;
    run   bigint;
BEGIN
    FOREACH whole IN ARRAY ARRAY['star_member', 'star_residual', 'calibrated_source'] LOOP
        FOR run IN EXECUTE format('SELECT DISTINCT b.run_id FROM %I AS b', whole || '_before') LOOP
            EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES IN (%L)', whole || '_r' || run, whole, run);
        END LOOP;
        EXECUTE format('INSERT INTO %I SELECT * FROM %I', whole, whole || '_before');
        EXECUTE format('DROP TABLE %I', whole || '_before');
    END LOOP;
END
$$;

ALTER TABLE star_member ADD PRIMARY KEY (task_id, star_id, visit, ccd, run_id);
ALTER TABLE star_member ADD UNIQUE (task_id, source_id, run_id);
ALTER TABLE star_residual ADD PRIMARY KEY (task_id, source_id, run_id);
CREATE INDEX star_residual_star ON star_residual (task_id, star_id);
CREATE INDEX star_residual_frame ON star_residual (run_id, visit, ccd);
ALTER TABLE calibrated_source ADD PRIMARY KEY (task_id, source_id, run_id);
CREATE INDEX calibrated_source_sky ON calibrated_source (sky_zone(dec), ra);

CREATE FUNCTION delete_rows_of_tasks() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    DELETE FROM star_member AS r USING gone AS g WHERE r.run_id = g.run_id AND r.task_id = g.task_id;
    DELETE FROM star_residual AS r USING gone AS g WHERE r.run_id = g.run_id AND r.task_id = g.task_id;
    DELETE FROM calibrated_source AS r USING gone AS g WHERE r.run_id = g.run_id AND r.task_id = g.task_id;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION delete_rows_of_tasks() IS 'Trigger: delete what deleted tasks have left in tables without a foreign key';
CREATE TRIGGER task_gone AFTER DELETE ON task REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION delete_rows_of_tasks();
