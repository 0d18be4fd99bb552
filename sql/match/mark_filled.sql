-- Refresh the planner's statistics of a temporary table that was filled.
-- params:  work_table text
-- returns: count
SELECT match_analyze(CAST(:work_table AS text));
