-- What a reader of a run wants first: scatter within, against the references, and repeatability, before and after.
-- params:  none
-- returns: run text, tract integer, filter text, metric text, stars text, before double precision, after double precision, unit text, n bigint
SELECT r.name AS run,
       m.tract,
       m.filter,
       m.metric,
       m.sample AS stars,
       max(m.figure) FILTER (WHERE m.variant = 'before') AS before,
       max(m.figure) FILTER (WHERE m.variant = 'after') AS after,
       m.unit,
       max(m.n_used) AS n
  FROM qa_metric AS m
  JOIN run AS r ON r.run_id = m.run_id
 WHERE m.visit IS NULL
   AND m.ccd IS NULL
   AND (m.sample = 'reserved' OR m.metric IN ('AM1', 'AM2'))
   AND m.metric IN ('internal_rms_ra', 'internal_rms_dec', 'internal_rms_mag', 'position_floor', 'magnitude_floor',
                    'external_rms_ra', 'external_rms_dec', 'external_rms_mag', 'PA1', 'AM1', 'AM2')
 GROUP BY r.name, m.tract, m.filter, m.metric, m.sample, m.unit
 ORDER BY r.name, m.tract, m.filter,
          array_position(ARRAY['internal_rms_ra', 'internal_rms_dec', 'position_floor', 'AM1', 'AM2', 'external_rms_ra',
                               'external_rms_dec', 'internal_rms_mag', 'magnitude_floor', 'PA1', 'external_rms_mag'],
                         m.metric);
