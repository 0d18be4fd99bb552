-- Store a sky map, unless one of its name is there.
-- params:  skymap text, kind text, version integer, pixel_scale_arcsec double precision, patch_inner_pix integer,
--          patch_border_pix integer, tract_overlap_deg double precision, n_ring integer,
--          ra_start_deg double precision
-- returns: count
INSERT INTO skymap (skymap, kind, version, pixel_scale_arcsec, patch_inner_pix, patch_border_pix, tract_overlap_deg,
                    n_ring, ra_start_deg)
VALUES (:skymap, :kind, :version, :pixel_scale_arcsec, :patch_inner_pix, :patch_border_pix, :tract_overlap_deg,
        :n_ring, :ra_start_deg)
ON CONFLICT (skymap) DO NOTHING;
