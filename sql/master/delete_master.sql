-- Remove a run's master of a kind, ccd, filter and date, so that it can be made anew.
-- params:  run_id bigint, kind text, ccd integer, filter text, calib_date date
-- returns: count
DELETE FROM master AS m
 USING master_kind AS k
 WHERE k.master_kind_id = m.master_kind_id
   AND k.kind = :kind
   AND m.run_id = :run_id
   AND m.ccd = :ccd
   AND m.filter IS NOT DISTINCT FROM CAST(:filter AS text)
   AND m.calib_date = :calib_date;
