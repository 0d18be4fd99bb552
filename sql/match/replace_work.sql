-- Make the temporary tables of a matching anew.
-- params:  none
-- returns: count
SELECT match_work();
