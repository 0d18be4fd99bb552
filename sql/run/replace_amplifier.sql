-- Enter an amplifier of the camera.
-- params:  ccd integer, amp integer, x0_pix integer, y0_pix integer, width_pix integer, height_pix integer, gain_e_per_adu double precision, read_noise_e double precision, saturation_adu double precision, linearity_c0 double precision
-- returns: count
INSERT INTO amplifier (ccd, amp, x0_pix, y0_pix, width_pix, height_pix, gain_e_per_adu, read_noise_e, saturation_adu,
                       linearity_c0)
VALUES (:ccd, :amp, :x0_pix, :y0_pix, :width_pix, :height_pix, :gain_e_per_adu, :read_noise_e, :saturation_adu,
        :linearity_c0)
ON CONFLICT (ccd, amp) DO UPDATE
   SET x0_pix = excluded.x0_pix,
       y0_pix = excluded.y0_pix,
       width_pix = excluded.width_pix,
       height_pix = excluded.height_pix,
       gain_e_per_adu = excluded.gain_e_per_adu,
       read_noise_e = excluded.read_noise_e,
       saturation_adu = excluded.saturation_adu,
       linearity_c0 = excluded.linearity_c0;
