-- Fluxes of the stars of a reference catalog in a circle.
-- params:  ref_catalog_id integer, ra double precision, dec double precision, radius_deg double precision
-- returns: ref_id bigint, band text, flux_njy double precision, flux_njy_err double precision
SELECT b.ref_id,
       b.band,
       b.flux_njy,
       b.flux_njy_err
  FROM ref_star AS r
  JOIN ref_flux AS b ON b.ref_catalog_id = r.ref_catalog_id AND b.ref_id = r.ref_id
 WHERE sky_join(CAST(:ra AS double precision), CAST(:dec AS double precision), r.ra, r.dec, CAST(:radius_deg AS double precision))
   AND r.ref_catalog_id = CAST(:ref_catalog_id AS integer)
 ORDER BY b.ref_id, b.band;
