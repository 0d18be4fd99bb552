-- Enter a filter of the camera.
-- params:  filter text, band text, lambda_nm double precision
-- returns: count
INSERT INTO filter (filter, band, lambda_nm)
VALUES (:filter, :band, :lambda_nm)
ON CONFLICT (filter) DO UPDATE
   SET band = excluded.band,
       lambda_nm = excluded.lambda_nm;
