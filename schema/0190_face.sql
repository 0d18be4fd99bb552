-- What the catalog's face needs of tables made before: the largest radius of a frame, at once, to bound searches of frames.
CREATE INDEX wcs_solution_radius ON wcs_solution (radius_deg);
