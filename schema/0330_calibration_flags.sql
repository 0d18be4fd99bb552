-- Which sources a frame's first calibration used are flags, too.
COMMENT ON COLUMN source_sky.sky_flags IS '[-] {meta.code.qual} flag bits that a WCS is needed for (bright_object, bright_object_center, astrometry_used, photometry_used, photometry_reserved), to be joined to source.flags by |';
