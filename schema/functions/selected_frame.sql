-- The frames of a selection (hscdb/run/select.py): one jsonb object per --id, keys restrict, objects add up.
CREATE OR REPLACE FUNCTION in_ranges(jsonb, bigint) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT $1 IS NULL
    OR EXISTS (SELECT 1
                 FROM jsonb_array_elements($1) AS r
                WHERE $2 BETWEEN CAST(r ->> 0 AS bigint) AND CAST(r ->> 1 AS bigint)
                  AND mod($2 - CAST(r ->> 0 AS bigint), CAST(r ->> 2 AS bigint)) = 0)
$$;
COMMENT ON FUNCTION in_ranges(jsonb, bigint) IS 'Whether a number lies in one of [[first, last, stride], ...]; NULL ranges hold every number';

CREATE OR REPLACE FUNCTION is_near_any(jsonb, double precision) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT $1 IS NULL
    OR EXISTS (SELECT 1 FROM jsonb_array_elements_text($1) AS e WHERE abs(CAST(e AS double precision) - $2) < 0.001)
$$;
COMMENT ON FUNCTION is_near_any(jsonb, double precision) IS 'Whether a number equals one of a list to 0.001; a NULL list holds every number';

CREATE OR REPLACE FUNCTION selected_frame(p_ids jsonb, p_where_visits bigint[], p_where_ccds integer[])
    RETURNS TABLE (place bigint, id jsonb, visit bigint, ccd integer)
    LANGUAGE sql STABLE
    AS $$
WITH chosen AS MATERIALIZED (
    SELECT s.place, s.id, v.visit, s.id -> 'ccd' AS ccds
      FROM jsonb_array_elements(p_ids) WITH ORDINALITY AS s (id, place)
      JOIN visit AS v
        ON in_ranges(s.id -> 'visit', v.visit)
       AND in_ranges(s.id -> 'pointing', v.pointing)
       AND (s.id -> 'filter'    IS NULL OR s.id -> 'filter'    ? v.filter)
       AND (s.id -> 'band'      IS NULL OR s.id -> 'band'      ? v.band)
       AND (s.id -> 'field'     IS NULL OR s.id -> 'field'     ? v.field)
       AND (s.id -> 'proposal'  IS NULL OR s.id -> 'proposal'  ? v.proposal)
       AND (s.id -> 'exp_id'    IS NULL OR s.id -> 'exp_id'    ? v.exp_id)
       AND (s.id -> 'data_type' IS NULL OR s.id -> 'data_type' ? v.data_type)
       AND (s.id -> 'night'     IS NULL OR s.id -> 'night'     ? CAST(v.night AS text))
       AND (s.id -> 'tai_date'  IS NULL
            OR s.id -> 'tai_date' ? CAST(CAST((v.obs_start + INTERVAL '37 s') AT TIME ZONE 'UTC' AS date) AS text))
       AND is_near_any(s.id -> 'exposure_s', v.exposure_s)
       AND is_near_any(s.id -> 'rotator_deg', v.rotator_deg)
       -- frames that are given are found by the key, not by looking at every visit
       AND (p_where_visits IS NULL OR v.visit = ANY (p_where_visits))
)
SELECT c.place, c.id, f.visit, f.ccd
  FROM chosen AS c
  JOIN frame AS f ON f.visit = c.visit
 WHERE (c.ccds IS NULL OR f.ccd IN (SELECT CAST(e AS integer) FROM jsonb_array_elements_text(c.ccds) AS e))
   AND (c.id -> 'frame_id' IS NULL OR c.id -> 'frame_id' ? f.frame_id)
   AND (p_where_visits IS NULL
        OR (f.visit, f.ccd) IN (SELECT w.visit, w.ccd FROM unnest(p_where_visits, p_where_ccds) AS w (visit, ccd)))
$$;
COMMENT ON FUNCTION selected_frame(jsonb, bigint[], integer[]) IS 'Frames of a selection: --id as jsonb objects, --where as the frames it holds for (NULL = all); place numbers the --id';
