-- Keep why a file was refused, in place of the same refusal before.
-- params:  path text, reason text, message text
-- returns: count
WITH old AS (
    DELETE FROM ingest_refusal AS r
     WHERE r.path = :path
       AND r.reason = :reason
)
INSERT INTO ingest_refusal (path, reason, message)
VALUES (:path, :reason, :message);
