-- Small types that functions take and give. A view may carry a place as ROW(ra, dec)::skycoord: the planner takes it
-- apart again, so that a search on it uses the index on the columns.
DO $$
BEGIN
    IF to_regtype('skycoord') IS NULL THEN
        CREATE TYPE skycoord AS (ra double precision, "dec" double precision);
    END IF;
    IF to_regtype('skypixel') IS NULL THEN
        CREATE TYPE skypixel AS (x double precision, y double precision);
    END IF;
    IF to_regtype('coaddwcs') IS NULL THEN
        CREATE TYPE coaddwcs AS (naxis1 integer, naxis2 integer, crpix1 double precision, crpix2 double precision,
                                 crval1 double precision, crval2 double precision, cdelt double precision);
    END IF;
    IF to_regtype('patchbox') IS NULL THEN
        CREATE TYPE patchbox AS (x0 integer, y0 integer, x1 integer, y1 integer);
    END IF;
END $$;
COMMENT ON TYPE skycoord IS 'A direction: ra and dec [deg], ICRS';
COMMENT ON TYPE skypixel IS 'A place in an image: x and y [pix], counted from 0 at the middle of the first pixel';
COMMENT ON TYPE coaddwcs IS 'TAN projection of a tract: size, tangent point (pixels from 1, as in FITS; ra, dec), scale [deg/pix]';
COMMENT ON TYPE patchbox IS 'The pixels of a patch in its tract, from (x0, y0) to (x1, y1), both included, counted from 0';
