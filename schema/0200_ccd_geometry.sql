-- CCD terms per epoch of the camera, and more of them than shift and turn; motions of stars.
ALTER TABLE mosaic_ccd ADD COLUMN epoch integer NOT NULL DEFAULT 0;
ALTER TABLE mosaic_ccd ADD COLUMN map_order integer NOT NULL DEFAULT 0;
ALTER TABLE mosaic_ccd ADD COLUMN map_pix finite8[] NOT NULL DEFAULT '{}';
ALTER TABLE mosaic_ccd DROP CONSTRAINT mosaic_ccd_pkey;
ALTER TABLE mosaic_ccd ADD PRIMARY KEY (task_id, ccd, epoch);
COMMENT ON COLUMN mosaic_ccd.epoch      IS '[-] {meta.number} epoch of the camera, 0 up to the first of the dates that were set';
COMMENT ON COLUMN mosaic_ccd.map_order  IS '[-] {meta.number} degree of the map of the CCD: 0 shift and turn, 1 affine, 2 and more polynomials';
COMMENT ON COLUMN mosaic_ccd.map_pix    IS '[pix] {pos.cartesian;instr.det} terms beyond shift and turn, at 1000 pix from the centre: stretch, two shears, then u and v of each power';
ALTER TABLE star_solution ADD COLUMN pm_ra_mas_yr finite8;
ALTER TABLE star_solution ADD COLUMN pm_dec_mas_yr finite8;
ALTER TABLE star_solution ADD COLUMN pm_ra_mas_yr_err finite8;
ALTER TABLE star_solution ADD COLUMN pm_dec_mas_yr_err finite8;
COMMENT ON COLUMN star_solution.pm_ra_mas_yr       IS '[mas/yr] {pos.pm;pos.eq.ra} proper motion in ra times cos(dec) that was solved for; NULL if not asked for, or known';
COMMENT ON COLUMN star_solution.pm_dec_mas_yr      IS '[mas/yr] {pos.pm;pos.eq.dec} proper motion in dec that was solved for';
COMMENT ON COLUMN star_solution.pm_ra_mas_yr_err   IS '[mas/yr] {stat.error;pos.pm;pos.eq.ra} one sigma of pm_ra_mas_yr';
COMMENT ON COLUMN star_solution.pm_dec_mas_yr_err  IS '[mas/yr] {stat.error;pos.pm;pos.eq.dec} one sigma of pm_dec_mas_yr';
