-- What the master sky was multiplied with, and what that was fitted to.
ALTER TABLE frame_isr ADD COLUMN sky_scale_e finite8;
ALTER TABLE frame_isr ADD COLUMN n_sky_ccd integer;
COMMENT ON COLUMN frame_isr.sky_scale_e IS '[electron] {instr.skyLevel} what the master sky was multiplied with; NULL: none was subtracted';
COMMENT ON COLUMN frame_isr.n_sky_ccd   IS '[-] {meta.number} CCDs of the visit to which that was fitted';
COMMENT ON COLUMN master.mean_level     IS '[-] {stat.mean} mean level: adu (bias), electrons per second (dark), response over the mean of the mosaic (flat), rms over the sky (fringe), sky over the mean of the mosaic (sky), part of the pixels (defects)';
COMMENT ON COLUMN master_input.weight   IS '[-] {stat.weight} what the frame was divided by: seconds (dark), electrons at the mean of the mosaic (flat, sky), electrons of sky (fringe), 1 (bias)';
