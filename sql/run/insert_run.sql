-- Open a run; nothing happens if there is one of this name.
-- params:  name text, parent text, settings jsonb, settings_sha256 text, code_version text
-- returns: count
INSERT INTO run (name, parent_run_id, settings, settings_sha256, code_version)
VALUES (:name,
        (SELECT p.run_id FROM run AS p WHERE p.name = CAST(:parent AS text)),
        :settings, :settings_sha256, :code_version)
ON CONFLICT (name) DO NOTHING;
