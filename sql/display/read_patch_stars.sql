-- The stars that were matched across the visits of a tract and filter, in a box of RA and Dec; across RA 0 if ra0 > ra1.
-- params:  run_id bigint, tract integer, filter text, ra0 double precision, ra1 double precision, dec0 double precision, dec1 double precision
-- returns: star_id bigint, ra double precision, dec double precision, n_visit integer
SELECT s.star_id,
       s.ra,
       s.dec,
       s.n_visit
  FROM done_task(CAST(:run_id AS bigint), 'match') AS t
  JOIN star AS s ON s.task_id = t.task_id
 WHERE s.tract = :tract
   AND s.filter = :filter
   AND s.dec BETWEEN :dec0 AND :dec1
   AND CASE WHEN CAST(:ra0 AS double precision) <= CAST(:ra1 AS double precision)
            THEN s.ra BETWEEN :ra0 AND :ra1
            ELSE s.ra >= :ra0 OR s.ra <= :ra1
       END
 ORDER BY s.star_id;
