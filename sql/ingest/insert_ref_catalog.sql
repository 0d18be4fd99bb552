-- Enter a reference catalog; one of that name that is there already stays as it is.
-- params:  name text, preset text, epoch_mjd double precision
-- returns: count
INSERT INTO ref_catalog (name, preset, epoch_mjd)
VALUES (:name, :preset, :epoch_mjd)
ON CONFLICT (name) DO NOTHING;
