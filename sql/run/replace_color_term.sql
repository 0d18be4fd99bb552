-- Enter a color term of the camera.
-- params:  color_term_set text, refcat_glob text, filter text, primary_band text, secondary_band text, c0 double precision, c1 double precision, c2 double precision
-- returns: count
INSERT INTO color_term (color_term_set, refcat_glob, filter, primary_band, secondary_band, c0, c1, c2)
VALUES (:color_term_set, :refcat_glob, :filter, :primary_band, :secondary_band, :c0, :c1, :c2)
ON CONFLICT (color_term_set, refcat_glob, filter) DO UPDATE
   SET primary_band = excluded.primary_band,
       secondary_band = excluded.secondary_band,
       c0 = excluded.c0,
       c1 = excluded.c1,
       c2 = excluded.c2;
