-- The frames that take part, and the runs whose partitions hold their sources.
-- params:  none
-- returns: visit bigint, ccd integer, sky_run_id bigint, source_run_id bigint
-- needs:   match/replace_work
SELECT f.visit,
       f.ccd,
       f.sky_run_id,
       f.source_run_id
  FROM match_frame AS f
 ORDER BY f.visit, f.ccd;
