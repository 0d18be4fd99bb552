-- The reference star of each group: moved to the group's mean epoch by its proper motion, mutually nearest, one to one.
-- The index finds references within the radius and :margin_arcsec, by which their proper motion may have moved them.
-- params:  radius_arcsec double precision, margin_arcsec double precision, n_observation_min integer
-- returns: count
-- needs:   match/replace_work
WITH candidate AS MATERIALIZED (
    SELECT g.star, g.ra, g.dec, g.x, g.y, g.z, g.obs_mjd
      FROM match_group AS g
     -- a single detection beside a star is its shadow, not a star of its own
     WHERE g.n_observation >= CAST(:n_observation_min AS integer) OR NOT g.is_ambiguous
), imaged AS MATERIALIZED (
    SELECT c.star, c.dec,
           unnest(sky_images(c.ra, c.dec, (:radius_arcsec + CAST(:margin_arcsec AS double precision)) / 3600.0)) AS image_ra
      FROM candidate AS c
), found AS MATERIALIZED (
    SELECT i.star, r.ref_catalog_id, r.ref_id, r.ra, r.dec, r.epoch_mjd,
           COALESCE(r.pm_ra_mas_yr, 0) AS pm_ra, COALESCE(r.pm_dec_mas_yr, 0) AS pm_dec
      FROM imaged AS i
      JOIN ref_star AS r
        ON sky_near(i.image_ra, i.dec, r.ra, r.dec, (:radius_arcsec + CAST(:margin_arcsec AS double precision)) / 3600.0)
), moved AS MATERIALIZED (
    SELECT f.star, f.ref_catalog_id, f.ref_id,
           COALESCE(c.obs_mjd, f.epoch_mjd, 0) AS epoch_mjd,
           v.x / n.length AS x, v.y / n.length AS y, v.z / n.length AS z,
           c.x AS star_x, c.y AS star_y, c.z AS star_z
      FROM found AS f
      JOIN candidate AS c ON c.star = f.star
     CROSS JOIN LATERAL (SELECT radians(f.ra) AS a, radians(f.dec) AS d,
                                COALESCE((c.obs_mjd - f.epoch_mjd) / 365.25, 0) * radians(1.0::float8 / 3600000) AS t) AS e
     -- along the tangent, then back to the sphere: exact at the poles too
     CROSS JOIN LATERAL (SELECT cos(e.d) * cos(e.a) - e.t * (f.pm_ra * sin(e.a) + f.pm_dec * sin(e.d) * cos(e.a)) AS x,
                                cos(e.d) * sin(e.a) + e.t * (f.pm_ra * cos(e.a) - f.pm_dec * sin(e.d) * sin(e.a)) AS y,
                                sin(e.d) + e.t * f.pm_dec * cos(e.d) AS z) AS v
     CROSS JOIN LATERAL (SELECT sqrt(v.x * v.x + v.y * v.y + v.z * v.z) AS length) AS n
), pair AS MATERIALIZED (
    SELECT m.*, n.chord2,
           row_number() OVER (PARTITION BY m.star, m.ref_catalog_id ORDER BY n.chord2, m.ref_id) AS place_for_star,
           row_number() OVER (PARTITION BY m.ref_catalog_id, m.ref_id ORDER BY n.chord2, m.star) AS place_for_ref
      FROM moved AS m
     CROSS JOIN LATERAL (SELECT (m.x - m.star_x) * (m.x - m.star_x) + (m.y - m.star_y) * (m.y - m.star_y)
                              + (m.z - m.star_z) * (m.z - m.star_z) AS chord2) AS n
     WHERE n.chord2 <= power(2 * sin(radians(:radius_arcsec / 3600.0::float8) / 2), 2)
)
INSERT INTO match_ref (star, ref_catalog_id, ref_id, chord2, epoch_mjd, ra, dec)
SELECT p.star,
       p.ref_catalog_id,
       p.ref_id,
       p.chord2,
       p.epoch_mjd,
       CASE WHEN a.ra < 0 AND a.ra + 360 < 360 THEN a.ra + 360 WHEN a.ra < 0 THEN 0 ELSE a.ra END,
       degrees(atan2(p.z, sqrt(p.x * p.x + p.y * p.y)))
  FROM pair AS p
 CROSS JOIN LATERAL (SELECT degrees(atan2(p.y, p.x)) AS ra) AS a
 WHERE p.place_for_star = 1
   AND p.place_for_ref = 1;
