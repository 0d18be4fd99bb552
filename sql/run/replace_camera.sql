-- Enter the camera.
-- params:  camera text, pixel_scale_arcsec double precision, n_ccd integer, description text, description_sha256 text
-- returns: count
INSERT INTO camera (camera, pixel_scale_arcsec, n_ccd, description, description_sha256)
VALUES (:camera, :pixel_scale_arcsec, :n_ccd, :description, :description_sha256)
ON CONFLICT (camera) DO UPDATE
   SET pixel_scale_arcsec = excluded.pixel_scale_arcsec,
       n_ccd = excluded.n_ccd,
       description = excluded.description,
       description_sha256 = excluded.description_sha256;
