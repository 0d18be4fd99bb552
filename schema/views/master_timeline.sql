-- The nights of a run's masters, kind by kind, cut wherever a master begins or ends: which stretches no master covers
-- (gap), which more than one does (overlap, of different runs of the chain), and how many visits lie in each. It runs
-- from the first to the last night of masters and science visits.
CREATE VIEW master_timeline AS
WITH chained AS (
    SELECT r.run_id, r.name, m.master_id, m.master_kind_id, m.ccd, m.filter, m.validity
      FROM run AS r
     CROSS JOIN LATERAL run_chain(r.run_id) AS c
      JOIN master AS m ON m.run_id = c.run_id
), science AS (
    SELECT v.filter, v.night, count(*) AS n_visit
      FROM visit AS v
     WHERE v.data_type = 'science' AND v.night IS NOT NULL
     GROUP BY v.filter, v.night
), series AS (
    SELECT c.run_id, c.name, c.master_kind_id, c.ccd, c.filter,
           min(lower(c.validity)) AS first, max(upper(c.validity)) AS after
      FROM chained AS c
     GROUP BY c.run_id, c.name, c.master_kind_id, c.ccd, c.filter
), edge AS (
    SELECT c.run_id, c.name, c.master_kind_id, c.ccd, c.filter, e.night
      FROM chained AS c
     CROSS JOIN LATERAL (VALUES (lower(c.validity)), (upper(c.validity))) AS e (night)
    UNION
    SELECT s.run_id, s.name, s.master_kind_id, s.ccd, s.filter, e.night
      FROM series AS s
     CROSS JOIN LATERAL (SELECT min(v.night) AS first, max(v.night) + 1 AS after
                           FROM science AS v
                          WHERE s.filter IS NULL OR v.filter = s.filter) AS n
     CROSS JOIN LATERAL (VALUES (LEAST(n.first, s.first)), (GREATEST(n.after, s.after))) AS e (night)
), stretch AS (
    SELECT e.run_id, e.name, e.master_kind_id, e.ccd, e.filter, e.night AS first,
           lead(e.night) OVER (PARTITION BY e.run_id, e.master_kind_id, e.ccd, e.filter ORDER BY e.night) AS after
      FROM edge AS e
), covered AS (
    SELECT s.run_id, s.name, s.master_kind_id, s.ccd, s.filter, s.first, s.after, m.n, m.ids
      FROM stretch AS s
     CROSS JOIN LATERAL (SELECT count(*) AS n, array_agg(c.master_id ORDER BY c.master_id) AS ids
                           FROM chained AS c
                          WHERE c.run_id = s.run_id AND c.master_kind_id = s.master_kind_id AND c.ccd = s.ccd
                            AND c.filter IS NOT DISTINCT FROM s.filter AND c.validity @> s.first) AS m
     WHERE s.after IS NOT NULL
)
SELECT c.run_id                                                                              AS run_id,
       c.name                                                                                AS run_name,
       k.kind                                                                                AS kind,
       c.ccd                                                                                 AS ccd,
       c.filter                                                                              AS filter,
       c.first                                                                               AS first_night,
       c.after - 1                                                                           AS last_night,
       CASE c.n WHEN 0 THEN 'gap' WHEN 1 THEN 'one' ELSE 'overlap' END                       AS state,
       c.n                                                                                   AS n_master,
       c.ids                                                                                 AS master_ids,
       (SELECT CAST(COALESCE(sum(v.n_visit), 0) AS bigint) FROM science AS v
         WHERE v.night >= c.first AND v.night < c.after AND (c.filter IS NULL OR v.filter = c.filter)) AS n_visit
  FROM covered AS c
  JOIN master_kind AS k ON k.master_kind_id = c.master_kind_id;
COMMENT ON VIEW   master_timeline              IS 'Nights of a run''s masters: gaps without one, stretches with one, overlaps with several';
COMMENT ON COLUMN master_timeline.run_id       IS '[-] {meta.id} run named with --calib';
COMMENT ON COLUMN master_timeline.run_name     IS '[-] {meta.id} its name';
COMMENT ON COLUMN master_timeline.kind         IS '[-] {meta.code.class} kind of master';
COMMENT ON COLUMN master_timeline.ccd          IS '[-] {meta.id;instr.det} number of the CCD';
COMMENT ON COLUMN master_timeline.filter       IS '[-] {meta.id;instr.filter} physical filter; NULL for kinds without';
COMMENT ON COLUMN master_timeline.first_night  IS '[-] {time.start} first night of the stretch';
COMMENT ON COLUMN master_timeline.last_night   IS '[-] {time.end} last night of the stretch';
COMMENT ON COLUMN master_timeline.state        IS '[-] {meta.code.status} gap, one or overlap';
COMMENT ON COLUMN master_timeline.n_master     IS '[-] {meta.number} masters that hold there; of several the one of the run nearest in the chain is taken';
COMMENT ON COLUMN master_timeline.master_ids   IS '[-] {meta.id} their numbers';
COMMENT ON COLUMN master_timeline.n_visit      IS '[-] {meta.number;obs} science visits (in the filter) of these nights';
