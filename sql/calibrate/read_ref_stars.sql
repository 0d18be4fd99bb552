-- Stars of some reference catalogs in a circle, with their largest flux in any band, and which are kept aside from every fit;
-- the brightest first. With flux_min_njy or n_max only those of at least this flux, only so many (NULL: all).
-- params:  ref_catalog_ids integer[], ra double precision, dec double precision, radius_deg double precision,
--          reserved_fraction double precision, flux_min_njy double precision, n_max integer
-- returns: ref_catalog_id integer, ref_id bigint, ra double precision, dec double precision, ra_mas_err double precision,
--          dec_mas_err double precision, epoch_mjd double precision, pm_ra_mas_yr double precision,
--          pm_dec_mas_yr double precision, pm_ra_mas_yr_err double precision, pm_dec_mas_yr_err double precision,
--          parallax_mas double precision, flux_njy double precision, is_reserved boolean
SELECT r.ref_catalog_id,
       r.ref_id,
       r.ra,
       r.dec,
       r.ra_mas_err,
       r.dec_mas_err,
       r.epoch_mjd,
       r.pm_ra_mas_yr,
       r.pm_dec_mas_yr,
       r.pm_ra_mas_yr_err,
       r.pm_dec_mas_yr_err,
       r.parallax_mas,
       f.flux_njy,
       star_lot(r.ra, r.dec) < CAST(:reserved_fraction AS double precision) * 1000 AS is_reserved
  FROM ref_star AS r
 CROSS JOIN LATERAL (SELECT max(b.flux_njy) AS flux_njy
                       FROM ref_flux AS b
                      WHERE b.ref_catalog_id = r.ref_catalog_id AND b.ref_id = r.ref_id) AS f
 WHERE sky_join(CAST(:ra AS double precision), CAST(:dec AS double precision), r.ra, r.dec, CAST(:radius_deg AS double precision))
   AND r.ref_catalog_id = ANY (CAST(:ref_catalog_ids AS integer[]))
   AND (CAST(:flux_min_njy AS double precision) IS NULL OR f.flux_njy >= CAST(:flux_min_njy AS double precision))
 ORDER BY f.flux_njy DESC NULLS LAST, r.ref_catalog_id, r.ref_id
 LIMIT CAST(:n_max AS integer);
