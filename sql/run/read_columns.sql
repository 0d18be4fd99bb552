-- Columns of a table or view (of all, for NULL) with unit and meaning.
-- params:  table_name text
-- returns: table_name text, table_kind text, table_meaning text, column_name text, type_name text, unit text, meaning text
SELECT d.table_name,
       d.table_kind,
       d.table_meaning,
       d.column_name,
       d.type_name,
       d.unit,
       d.meaning
  FROM column_doc AS d
 WHERE CAST(:table_name AS text) IS NULL
    OR d.table_name = :table_name
 ORDER BY d.table_name, d.column_rank;
