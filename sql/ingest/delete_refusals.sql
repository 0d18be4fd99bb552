-- Forget the refusals of a file that has been ingested now.
-- params:  path text
-- returns: count
DELETE FROM ingest_refusal AS r
 WHERE r.path = :path;
