-- Give a run other settings.
-- params:  run_id bigint, settings jsonb, settings_sha256 text
-- returns: count
UPDATE run
   SET settings = :settings,
       settings_sha256 = :settings_sha256
 WHERE run_id = :run_id;
