-- Enter a CCD of the camera.
-- params:  ccd integer, name text, kind text, is_science boolean, width_pix integer, height_pix integer, u_pix double precision, v_pix double precision, yaw_deg double precision, n_quarter integer
-- returns: count
INSERT INTO ccd (ccd, name, kind, is_science, width_pix, height_pix, u_pix, v_pix, yaw_deg, n_quarter)
VALUES (:ccd, :name, :kind, :is_science, :width_pix, :height_pix, :u_pix, :v_pix, :yaw_deg, :n_quarter)
ON CONFLICT (ccd) DO UPDATE
   SET name = excluded.name,
       kind = excluded.kind,
       is_science = excluded.is_science,
       width_pix = excluded.width_pix,
       height_pix = excluded.height_pix,
       u_pix = excluded.u_pix,
       v_pix = excluded.v_pix,
       yaw_deg = excluded.yaw_deg,
       n_quarter = excluded.n_quarter;
