-- Enter a visit; one that is there already stays as it is.
-- params:  visit bigint, exp_id text, data_type text, filter text, band text, field text, proposal text,
--          pointing integer, night date, obs_start timestamptz, obs_mjd double precision, exposure_s double precision,
--          dark_s double precision, ra double precision, dec double precision, rotator_deg double precision,
--          airmass double precision
-- returns: count
INSERT INTO visit (visit, exp_id, data_type, filter, band, field, proposal, pointing, night, obs_start, obs_mjd,
                   exposure_s, dark_s, ra, dec, rotator_deg, airmass)
VALUES (:visit, :exp_id, :data_type, :filter, :band, :field, :proposal, :pointing, :night, :obs_start, :obs_mjd,
        :exposure_s, :dark_s, :ra, :dec, :rotator_deg, :airmass)
ON CONFLICT (visit) DO NOTHING;
