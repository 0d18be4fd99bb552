-- Three roles, made where the migrating user may make roles: hscdb_owner may change the schema, hscdb_pipeline may fill
-- it, hscdb_reader may look. They cannot log in; give them to people: GRANT hscdb_reader TO alice.
-- Functions: what PostgreSQL and this schema let everybody call is taken back from PUBLIC and given by role. Readers get
-- none that waits, locks, writes large objects or changes settings within a statement (a statement of `hscdb query` runs
-- as the reader and must not become another), and no temporary tables.
-- Roles belong to the whole server; what they may do is granted in each database, to readers table by table.
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['hscdb_owner', 'hscdb_pipeline', 'hscdb_reader'] LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            END IF;
        EXCEPTION WHEN insufficient_privilege OR duplicate_object OR unique_violation THEN
            NULL;  -- not ours to make, or another database's migration made it at the same moment
        END;
    END LOOP;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'hscdb_owner') THEN
        EXECUTE format('GRANT ALL ON SCHEMA %I TO hscdb_owner', current_schema());
        EXECUTE format('GRANT ALL ON ALL TABLES IN SCHEMA %I TO hscdb_owner', current_schema());
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'hscdb_pipeline') THEN
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO hscdb_pipeline', current_schema());
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO hscdb_pipeline',
                       current_schema());
        REVOKE INSERT, UPDATE, DELETE ON schema_version, schema_text, flag_doc FROM hscdb_pipeline;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'hscdb_reader') THEN
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO hscdb_reader', current_schema());
        GRANT SELECT ON
            flag_doc, camera, ccd, amplifier, filter, color_term, visit, frame, frame_header, ingest_refusal, run, task,
            product, master_kind, master, master_input, master_defect, frame_isr, frame_vet, frame_quality, source, psf_star,
            ref_catalog, ref_file, ref_star, ref_flux, source_sky, source_ref,
            skymap, tract, patch, frame_tract, frame_patch, star, star_member, star_ref,
            wcs_solution, flux_scale, mosaic_solution, mosaic_visit, mosaic_ccd, star_solution, star_residual,
            calibrated_source, qa_metric, schema_version,
            column_doc, frame_info, progress, source_info, source_calibrated, star_summary, master_choice, master_timeline,
            hsc_star, hsc_frame, hsc_skymap, lsst_visit, lsst_visit_detector, lsst_source,
            bi_frame, bi_visit, bi_night, bi_task
        TO hscdb_reader;
    END IF;
END $$;

DO $$
DECLARE
    f record;
BEGIN
    IF (SELECT count(*) FROM pg_roles WHERE rolname IN ('hscdb_owner', 'hscdb_pipeline', 'hscdb_reader')) < 3 THEN
        RETURN;
    END IF;
    FOR f IN SELECT CAST(p.oid AS regprocedure) AS signature, p.proname AS name
               FROM pg_proc AS p
              WHERE p.pronamespace = CAST(current_schema() AS regnamespace) AND pg_has_role(p.proowner, 'USAGE') LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f.signature);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO hscdb_owner, hscdb_pipeline', f.signature);
        IF f.name NOT IN ('match_work', 'match_analyze', 'end_overtime') THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO hscdb_reader', f.signature);
        END IF;
    END LOOP;
    BEGIN
        EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC', current_schema());
        EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
        EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO hscdb_owner, hscdb_pipeline', current_database());
    EXCEPTION WHEN insufficient_privilege THEN
        NULL;  -- another's database
    END;
    BEGIN
        FOR f IN SELECT CAST(p.oid AS regprocedure) AS signature
                   FROM pg_proc AS p
                  WHERE p.pronamespace = CAST('pg_catalog' AS regnamespace)
                    AND (p.proname IN ('set_config', 'pg_notify', 'query_to_xml', 'query_to_xmlschema', 'cursor_to_xml',
                                       'query_to_xml_and_xmlschema', 'lowrite', 'pg_export_snapshot', 'ts_stat')
                         OR p.proname LIKE 'pg\_sleep%' OR p.proname LIKE 'lo\_%' OR p.proname LIKE 'pg\_advisory%'
                         OR p.proname LIKE 'pg\_try\_advisory%' OR p.proname LIKE 'database\_to\_xml%'
                         OR p.proname LIKE 'schema\_to\_xml%' OR p.proname LIKE 'pg\_logical\_%')
                    AND has_function_privilege('public', p.oid, 'EXECUTE') LOOP
            EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f.signature);
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO hscdb_owner, hscdb_pipeline', f.signature);
        END LOOP;
    EXCEPTION WHEN insufficient_privilege THEN
        NULL;  -- another's server: its own rules hold
    END;
END $$;
