-- What a sky map of this name is.
-- params:  skymap text
-- returns: kind text, version integer, pixel_scale_arcsec double precision, patch_inner_pix integer,
--          patch_border_pix integer, tract_overlap_deg double precision, n_ring double precision,
--          ra_start_deg double precision
SELECT s.kind,
       s.version,
       CAST(s.pixel_scale_arcsec AS double precision) AS pixel_scale_arcsec,
       s.patch_inner_pix,
       s.patch_border_pix,
       CAST(s.tract_overlap_deg AS double precision) AS tract_overlap_deg,
       CAST(s.n_ring AS double precision) AS n_ring,
       CAST(s.ra_start_deg AS double precision) AS ra_start_deg
  FROM skymap AS s
 WHERE s.skymap = :skymap;
