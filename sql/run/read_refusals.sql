-- Files that could not be ingested, or not wholly, and why.
-- params:  none
-- returns: path text, reason text, message text
SELECT r.path,
       r.reason,
       r.message
  FROM ingest_refusal AS r
 ORDER BY r.path, r.reason;
