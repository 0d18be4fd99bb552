-- A reader may change his own statement_timeout; this is the limit that he cannot change. `hscdb db watch` calls it again
-- and again; who calls it must be allowed to end the sessions of others (pg_signal_backend, or a superuser).
CREATE OR REPLACE FUNCTION end_overtime(limit_s double precision)
    RETURNS TABLE (pid integer, usename text, seconds double precision, query text)
    LANGUAGE sql VOLATILE
    AS $$
WITH late AS MATERIALIZED (  -- all conditions first: the planner may ask a function that is as cheap as they are before them
    SELECT a.pid, CAST(a.usename AS text) AS usename, left(a.query, 200) AS query,
           CAST(extract(epoch FROM clock_timestamp() - a.xact_start) AS double precision) AS seconds
      FROM pg_stat_activity AS a
      JOIN pg_roles AS r ON r.oid = a.usesysid
     WHERE a.datname = current_database()
       AND a.pid <> pg_backend_pid()
       AND NOT r.rolsuper
       AND pg_has_role(r.oid, (SELECT n.oid FROM pg_roles AS n WHERE n.rolname = 'hscdb_reader'), 'MEMBER')
       AND a.xact_start < clock_timestamp() - make_interval(secs => limit_s)
)
SELECT l.pid, l.usename, l.seconds, l.query
  FROM late AS l
 WHERE pg_terminate_backend(l.pid)
    $$;
COMMENT ON FUNCTION end_overtime(double precision) IS 'End the sessions of readers whose transaction is older than limit_s [s]';
