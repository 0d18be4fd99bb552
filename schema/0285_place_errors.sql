-- What the predicted places of a joint solution may be wrong by, frame by frame.
ALTER TABLE wcs_solution ADD COLUMN place_mas_err finite8[];
COMMENT ON COLUMN wcs_solution.place_mas_err IS '[mas] {stat.error;pos.wcs} one sigma per axis of predicted places, air and references included, at 3 x 3 pixels: x = 0, middle, last, for y = 0, middle, last; between them: frame_place_err; NULL of first calibrations';
