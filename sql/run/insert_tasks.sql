-- Enter the units of a stage as tasks; those that are there already stay as they are.
-- params:  run_id bigint, stage text, data_ids text[], visits bigint[], ccds integer[], tracts integer[], filters text[]
-- returns: count
INSERT INTO task (run_id, stage, data_id, visit, ccd, tract, filter)
SELECT :run_id, :stage, u.data_id, u.visit, u.ccd, u.tract, u.filter
  FROM unnest(CAST(:data_ids AS text[]), CAST(:visits AS bigint[]), CAST(:ccds AS integer[]),
              CAST(:tracts AS integer[]), CAST(:filters AS text[])) AS u (data_id, visit, ccd, tract, filter)
ON CONFLICT (run_id, stage, data_id) DO NOTHING;
