-- The run of this name.
-- params:  name text
-- returns: run_id bigint, name text, parent text, settings jsonb, settings_sha256 text, code_version text
SELECT r.run_id,
       r.name,
       p.name AS parent,
       r.settings,
       r.settings_sha256,
       r.code_version
  FROM run AS r
  LEFT JOIN run AS p ON p.run_id = r.parent_run_id
 WHERE r.name = :name;
