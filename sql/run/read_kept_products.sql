-- Files that ought to exist, with size and checksum.
-- params:
-- returns: path text, n_byte bigint, sha256 text, data_id text
SELECT p.path,
       p.n_byte,
       p.sha256,
       t.stage || ' ' || t.data_id AS data_id
  FROM product AS p
  JOIN task AS t ON t.task_id = p.task_id
 WHERE p.swept_at IS NULL
   AND t.status = 'done'
 ORDER BY p.path;
