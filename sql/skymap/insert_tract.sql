-- Store a tract; no row if the sky map has it already.
-- params:  skymap text, tract integer, ra double precision, dec double precision, radius_deg double precision,
--          crpix1_pix double precision, crpix2_pix double precision, pixel_scale_arcsec double precision,
--          n_patch_x integer, n_patch_y integer, width_pix integer, height_pix integer,
--          corner_ra double precision[], corner_dec double precision[]
-- returns: count
INSERT INTO tract (skymap, tract, ra, dec, radius_deg, crpix1_pix, crpix2_pix, pixel_scale_arcsec,
                   n_patch_x, n_patch_y, width_pix, height_pix, corner_ra, corner_dec)
VALUES (:skymap, :tract, :ra, :dec, :radius_deg, :crpix1_pix, :crpix2_pix, :pixel_scale_arcsec,
        :n_patch_x, :n_patch_y, :width_pix, :height_pix, :corner_ra, :corner_dec)
ON CONFLICT (skymap, tract) DO NOTHING;
