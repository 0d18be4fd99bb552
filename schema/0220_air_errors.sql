-- Errors that know of the air: of each coefficient of a visit, and what those of CCDs are.
ALTER TABLE mosaic_visit ADD COLUMN xi_deg_err finite8[];
ALTER TABLE mosaic_visit ADD COLUMN eta_deg_err finite8[];
COMMENT ON COLUMN mosaic_visit.xi_deg_err    IS '[deg] {stat.error;pos.wcs} one sigma of each of xi_deg, the air included; NULL if solve_turbulence is off';
COMMENT ON COLUMN mosaic_visit.eta_deg_err   IS '[deg] {stat.error;pos.wcs} one sigma of each of eta_deg';
COMMENT ON COLUMN mosaic_ccd.shift_u_pix_err IS '[pix] {stat.error} one sigma, of the CCDs to each other: what all share the visits undo';
