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
    IF to_regtype('sdss_object') IS NULL THEN
        CREATE TYPE sdss_object AS (objid bigint, task_id bigint, run_id bigint, tract integer, filter text, type integer, mode integer,
                                    ra double precision, "dec" double precision, mag double precision,
                                    cx double precision, cy double precision, cz double precision, distance double precision);
    END IF;
END $$;
COMMENT ON TYPE skycoord IS 'A direction: ra and dec [deg], ICRS';
COMMENT ON TYPE skypixel IS 'A place in an image: x and y [pix], counted from 0 at the middle of the first pixel';
COMMENT ON TYPE coaddwcs IS 'TAN projection of a tract: size, tangent point (pixels from 1, as in FITS; ra, dec), scale [deg/pix]';
COMMENT ON TYPE patchbox IS 'The pixels of a patch in its tract, from (x0, y0) to (x1, y1), both included, counted from 0';
COMMENT ON TYPE sdss_object IS 'What a search by SDSS''s names finds: a star (star.star_id) of a match task, its type 6, mode (1 in the newest match of its tract and filter, 2 in older ones), ra and dec [deg], AB magnitude, unit vector and distance [arcmin]';
