-- The lot drawn for a star, 0 to 999, by a hash of the 5-arcsec cube of space it lies in: the same in every run, filter and
-- reference catalog, so that a star kept aside from one fit is kept aside from all. Lots below 1000 f reserve a part f.
CREATE OR REPLACE FUNCTION star_lot(x double precision, y double precision, z double precision) RETURNS integer
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN CAST(mod(hashint8extended(match_cell(x, y, z, 2.424e-5::double precision), 0) & 9223372036854775807, 1000)
                AS integer);

CREATE OR REPLACE FUNCTION star_lot(ra double precision, "dec" double precision) RETURNS integer
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN star_lot(cosd(ra) * cosd("dec"), sind(ra) * cosd("dec"), sind("dec"));
COMMENT ON FUNCTION star_lot(double precision, double precision, double precision)
    IS 'Lot of a star by its direction, 0 to 999; lots below 1000 f are reserved from every fit';
COMMENT ON FUNCTION star_lot(double precision, double precision)
    IS 'Lot of a star by its ra and dec [deg], 0 to 999; lots below 1000 f are reserved from every fit';
