-- Store what isr found on a frame.
-- params:  run_id bigint, task_id bigint, visit bigint, ccd integer, overscan_adu real[], read_noise_e real[],
--          gain_e_per_adu real[], bias_master_id bigint, dark_master_id bigint, flat_master_id bigint,
--          defects_master_id bigint, fringe_master_id bigint, sky_master_id bigint,
--          fringe_e double precision, fringe_e_err double precision, charge_moved_e double precision,
--          sky_level_e double precision, sky_sigma_e double precision, flatness_pp double precision,
--          flatness_rms double precision, sky_scale_e double precision, n_sky_ccd integer, n_saturated integer, n_bad integer, n_no_data integer
-- returns: count
INSERT INTO frame_isr (run_id, task_id, visit, ccd, overscan_adu, read_noise_e, gain_e_per_adu,
                       bias_master_id, dark_master_id, flat_master_id,
                       defects_master_id, fringe_master_id, sky_master_id, fringe_e, fringe_e_err, charge_moved_e,
                       sky_level_e, sky_sigma_e, flatness_pp, flatness_rms, sky_scale_e, n_sky_ccd, n_saturated, n_bad, n_no_data)
VALUES (:run_id, :task_id, :visit, :ccd, :overscan_adu, :read_noise_e, :gain_e_per_adu,
        :bias_master_id, :dark_master_id, :flat_master_id,
        :defects_master_id, :fringe_master_id, :sky_master_id, :fringe_e, :fringe_e_err, :charge_moved_e,
        :sky_level_e, :sky_sigma_e, :flatness_pp, :flatness_rms, :sky_scale_e, CAST(:n_sky_ccd AS integer), :n_saturated, :n_bad, :n_no_data);
