-- Unit, UCD and meaning of every column, split from the comments '[unit] {UCD} meaning'. README, FITS TUNIT and
-- TAP_SCHEMA are made from this view. Partitions are left out: they are their parent's. A meaning may end with the names
-- of the column in hscPipe's src table, '(hscPipe: name since version 5 | name in versions 3 and 4)'.
CREATE VIEW column_doc AS
SELECT CAST(c.relname AS text)                                            AS table_name,
       CASE WHEN c.relkind = 'v' THEN 'view' ELSE 'table' END             AS table_kind,
       obj_description(c.oid, 'pg_class')                                 AS table_meaning,
       CAST(a.attnum AS integer)                                          AS column_rank,
       CAST(a.attname AS text)                                            AS column_name,
       format_type(COALESCE(NULLIF(t.typbasetype, 0), a.atttypid), NULL)  AS type_name,
       NOT a.attnotnull                                                   AS is_nullable,
       NULLIF(part[1], '-')                                               AS unit,
       part[2]                                                            AS ucd,
       regexp_replace(part[3], ' \(hscPipe: .*\)$', '')                   AS meaning,
       substring(part[3] FROM ' \(hscPipe: ([^ )]+)')                     AS hscpipe_name,
       substring(part[3] FROM ' \(hscPipe: [^|]* \| ([^)]+)\)$')          AS hscpipe_old_name
  FROM pg_class AS c
  JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_type AS t ON t.oid = a.atttypid
  LEFT JOIN regexp_match(col_description(c.oid, a.attnum), '^\[([^]]+)\] \{([^}]+)\} (.+)$') AS part ON true
 WHERE c.relkind IN ('r', 'p', 'v')
   AND NOT c.relispartition
   AND c.relnamespace = CAST(current_schema() AS regnamespace)
   AND NOT EXISTS (SELECT FROM pg_depend AS d
                    WHERE d.classid = CAST('pg_class' AS regclass) AND d.objid = c.oid AND d.deptype = 'e');
COMMENT ON VIEW   column_doc                IS 'Unit, UCD and meaning of every column of every table and view';
COMMENT ON COLUMN column_doc.table_name     IS '[-] {meta.id;meta.table} table or view';
COMMENT ON COLUMN column_doc.table_kind     IS '[-] {meta.code.class} table or view';
COMMENT ON COLUMN column_doc.table_meaning  IS '[-] {meta.note} what a row of it is';
COMMENT ON COLUMN column_doc.column_rank    IS '[-] {meta.number} place of the column in the table';
COMMENT ON COLUMN column_doc.column_name    IS '[-] {meta.id} column';
COMMENT ON COLUMN column_doc.type_name      IS '[-] {meta.code} type, domains resolved';
COMMENT ON COLUMN column_doc.is_nullable    IS '[-] {meta.code} whether it may be NULL';
COMMENT ON COLUMN column_doc.unit           IS '[-] {meta.unit} unit; NULL if it has none';
COMMENT ON COLUMN column_doc.ucd            IS '[-] {meta.ucd} unified content descriptor (IVOA)';
COMMENT ON COLUMN column_doc.meaning        IS '[-] {meta.note} what it is';
COMMENT ON COLUMN column_doc.hscpipe_name     IS '[-] {meta.id} its name in hscPipe''s src table since version 5; fluxes there ended in _flux before _instFlux';
COMMENT ON COLUMN column_doc.hscpipe_old_name IS '[-] {meta.id} its name in hscPipe''s src table of versions 3 and 4, or the array that it is an element of';
