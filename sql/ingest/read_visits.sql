-- What is known of some visits.
-- params:  visits bigint[]
-- returns: visit bigint, exp_id text, data_type text, filter text, band text, field text, proposal text, pointing integer, obs_start timestamptz, obs_mjd double precision, exposure_s double precision, dark_s double precision, ra double precision, dec double precision, rotator_deg double precision, airmass double precision
SELECT v.visit,
       v.exp_id,
       v.data_type,
       v.filter,
       v.band,
       v.field,
       v.proposal,
       COALESCE(v.pointing, 0) AS pointing,
       v.obs_start,
       v.obs_mjd,
       v.exposure_s,
       v.dark_s,
       v.ra,
       v.dec,
       v.rotator_deg,
       v.airmass
  FROM visit AS v
 WHERE v.visit = ANY (:visits)
 ORDER BY v.visit;
