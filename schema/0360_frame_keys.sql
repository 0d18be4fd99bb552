-- Solutions of a frame, whatever their run, are looked up by its visit and CCD (frame_info, ccd_search): these come first.
-- With the run first PostgreSQL before 18 reads the whole index for each frame.
DROP INDEX wcs_solution_frame;
CREATE INDEX wcs_solution_frame ON wcs_solution (visit, ccd, run_id, stage);
DROP INDEX flux_scale_frame;
CREATE INDEX flux_scale_frame ON flux_scale (visit, ccd, run_id, stage);
