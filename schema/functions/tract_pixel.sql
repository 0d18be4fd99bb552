-- Pixels of tracts and patches: TAN, x against RA, no rotation.
CREATE OR REPLACE FUNCTION sky_to_pixel(wcs coaddwcs, ra double precision, "dec" double precision) RETURNS skypixel
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
DECLARE
    h     double precision;
    c     double precision;
    found skypixel;
BEGIN
    IF NOT (abs(ra) < 'Infinity' AND abs("dec") < 'Infinity') THEN
        RETURN found;
    END IF;
    h := 2.0 * power(sin(radians(ra - wcs.crval1) / 2.0), 2);
    c := cos(radians("dec" - wcs.crval2)) - cos(radians("dec")) * cos(radians(wcs.crval2)) * h;
    IF c > 0.0 THEN
        found.x := wcs.crpix1 - 1.0 - degrees(cos(radians("dec")) * sin(radians(ra - wcs.crval1)) / c) / wcs.cdelt;
        found.y := wcs.crpix2 - 1.0 + degrees((sin(radians("dec" - wcs.crval2))
                                                + sin(radians(wcs.crval2)) * cos(radians("dec")) * h) / c) / wcs.cdelt;
    END IF;
    RETURN found;
END
    $$;
COMMENT ON FUNCTION sky_to_pixel(coaddwcs, double precision, double precision)
    IS 'Pixel of a tract, counted from 0, of a direction [deg]; NULL behind the tangent plane';

CREATE OR REPLACE FUNCTION pixel_to_sky(wcs coaddwcs, x double precision, y double precision) RETURNS skycoord
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
DECLARE
    xi    double precision := radians((wcs.crpix1 - 1.0 - x) * wcs.cdelt);
    eta   double precision := radians((y - wcs.crpix2 + 1.0) * wcs.cdelt);
    c     double precision := cos(radians(wcs.crval2)) - eta * sin(radians(wcs.crval2));
    found skycoord;
BEGIN
    found.ra := sky_ra(wcs.crval1 + degrees(atan2(xi, c)));
    found."dec" := degrees(atan2(sin(radians(wcs.crval2)) + eta * cos(radians(wcs.crval2)), sqrt(xi * xi + c * c)));
    RETURN found;
END
    $$;
COMMENT ON FUNCTION pixel_to_sky(coaddwcs, double precision, double precision) IS 'Direction [deg] of a pixel of a tract, counted from 0';

CREATE OR REPLACE FUNCTION patch_contains(area patchbox, wcs coaddwcs, ra double precision, "dec" double precision)
    RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
DECLARE
    place skypixel := sky_to_pixel(wcs, ra, "dec");
BEGIN
    RETURN COALESCE(place.x >= area.x0 - 0.5 AND place.x < area.x1 + 0.5
                    AND place.y >= area.y0 - 0.5 AND place.y < area.y1 + 0.5, false);
END
    $$;
COMMENT ON FUNCTION patch_contains(patchbox, coaddwcs, double precision, double precision)
    IS 'Whether a direction [deg] lies in a patch, border included';
