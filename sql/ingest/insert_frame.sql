-- Enter a frame and its header; nothing happens if the frame, or its path, is there already.
-- params:  visit bigint, ccd integer, frame_id text, kind text, path text, hdu integer, width_pix integer,
--          height_pix integer, n_byte bigint, sha256 text, ccd_temp_k double precision, header jsonb
-- returns: count
WITH f AS (
    INSERT INTO frame (visit, ccd, frame_id, kind, path, hdu, width_pix, height_pix, n_byte, sha256, ccd_temp_k)
    VALUES (:visit, :ccd, :frame_id, :kind, :path, :hdu, :width_pix, :height_pix, :n_byte, :sha256, :ccd_temp_k)
    ON CONFLICT DO NOTHING
    RETURNING visit, ccd
)
INSERT INTO frame_header (visit, ccd, header)
SELECT f.visit, f.ccd, :header
  FROM f;
