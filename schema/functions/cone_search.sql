-- HSC-SSP's searches, with its argument order: degrees, radii in arcsec, limits included, false for a coord of NULL. Each
-- takes a skycoord or the two columns ra, dec of a table with the sky index, which it uses for constants and in joins.
CREATE OR REPLACE FUNCTION coneSearch(
    ra double precision, "dec" double precision, ra0 double precision, dec0 double precision, radius_arcsec double precision
) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT sky_reach_turn($3, $4, $1, $2, $5 / 3600.0::float8)
   AND $5 >= 0.0::float8 AND $5 < 'Infinity'::float8
   AND sky_sindist($3, $4, $1, $2) <= power(sin(radians($5 / 7200.0::float8)), 2.0::float8)
    $$;
COMMENT ON FUNCTION coneSearch(double precision, double precision, double precision, double precision, double precision)
    IS 'Whether ra, dec of the indexed table lie within radius_arcsec [arcsec] of (ra0, dec0) [deg]';

CREATE OR REPLACE FUNCTION coneSearch(
    coord skycoord, ra0 double precision, dec0 double precision, radius_arcsec double precision
) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT $1 IS NOT NULL AND coneSearch(($1).ra, ($1)."dec", $2, $3, $4) $$;
COMMENT ON FUNCTION coneSearch(skycoord, double precision, double precision, double precision)
    IS 'Whether coord lies within radius_arcsec [arcsec] of (ra0, dec0) [deg]';

-- From the smaller to the larger of two right ascensions, whatever their order: 350 to 370 crosses RA 0, 350 and 10 are
-- 10 to 350. Zones and RA stand together in each arm of the OR, as in sky_reach.
CREATE OR REPLACE FUNCTION boxSearch(
    ra double precision, "dec" double precision,
    ra1 double precision, ra2 double precision, dec1 double precision, dec2 double precision
) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT $2 >= least($5, $6) AND $2 <= greatest($5, $6)
   AND ((sky_zone($2) = ANY (sky_zone_range(sky_zone(least($5, $6)), sky_zone(greatest($5, $6))))
         AND $1 >= sky_ra(least($3, $4)) AND $1 <= sky_ra(least($3, $4)) + abs($4 - $3))
     OR (sky_zone($2) = ANY (sky_zone_range(sky_zone(least($5, $6)), sky_zone(greatest($5, $6)) + 0))
         AND $1 >= sky_ra(least($3, $4)) - 360.0::float8
         AND $1 <= sky_ra(least($3, $4)) - 360.0::float8 + abs($4 - $3)))
    $$;
COMMENT ON FUNCTION boxSearch(double precision, double precision, double precision, double precision, double precision, double precision)
    IS 'Whether ra, dec of the indexed table lie between ra1 and ra2 and between dec1 and dec2 [deg], limits included';

CREATE OR REPLACE FUNCTION boxSearch(
    coord skycoord, ra1 double precision, ra2 double precision, dec1 double precision, dec2 double precision
) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT $1 IS NOT NULL AND boxSearch(($1).ra, ($1)."dec", $2, $3, $4, $5) $$;
COMMENT ON FUNCTION boxSearch(skycoord, double precision, double precision, double precision, double precision)
    IS 'Whether coord lies between ra1 and ra2 and between dec1 and dec2 [deg], limits included';

CREATE OR REPLACE FUNCTION polygonSearch(ra double precision, "dec" double precision, poly double precision[])
    RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT sky_reach_turn((sky_polygon($3))[1], (sky_polygon($3))[2], $1, $2, (sky_polygon($3))[3])
   AND sky_in_polygon($1, $2, sky_polygon($3))
    $$;
COMMENT ON FUNCTION polygonSearch(double precision, double precision, double precision[])
    IS 'Whether ra, dec of the indexed table lie in a polygon {ra1, dec1, ra2, dec2, ...} [deg] of great circles';

CREATE OR REPLACE FUNCTION polygonSearch(coord skycoord, poly double precision[]) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT $1 IS NOT NULL AND polygonSearch(($1).ra, ($1)."dec", $2) $$;
COMMENT ON FUNCTION polygonSearch(skycoord, double precision[])
    IS 'Whether coord lies in a polygon {ra1, dec1, ra2, dec2, ...} [deg] of great circles';

CREATE OR REPLACE FUNCTION radec_to_coord(ra double precision, "dec" double precision) RETURNS skycoord
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT CAST(ROW($1, $2) AS skycoord) $$;
COMMENT ON FUNCTION radec_to_coord(double precision, double precision) IS 'A skycoord of ra, dec [deg]';

CREATE OR REPLACE FUNCTION coord_to_ra(coord skycoord) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT ($1).ra - 360.0::float8 * floor(($1).ra / 360.0::float8) $$;
COMMENT ON FUNCTION coord_to_ra(skycoord) IS 'Right ascension [deg] of a skycoord, from 0 to 360';

CREATE OR REPLACE FUNCTION coord_to_dec(coord skycoord) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT ($1)."dec" $$;
COMMENT ON FUNCTION coord_to_dec(skycoord) IS 'Declination [deg] of a skycoord';
