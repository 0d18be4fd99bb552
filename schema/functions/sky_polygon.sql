-- Polygons: {ra1, dec1, ra2, dec2, ...} in any sense of rotation, edges are great circles, open, and where edges cross the
-- even-odd rule holds. Any that fits into 80 deg about the mean of its vertices.

-- A polygon ready for tests: {ra, dec, radius of its center and circle, x1, y1, x2, y2, ... in the tangent plane there}.
CREATE OR REPLACE FUNCTION sky_polygon(poly double precision[]) RETURNS double precision[]
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
DECLARE
    n     integer := cardinality(poly);
    x     double precision := 0.0;
    y     double precision := 0.0;
    z     double precision := 0.0;
    ra0   double precision;
    dec0  double precision;
    r     double precision := 0.0;
    h     double precision;
    c     double precision;
    plane double precision[] := '{}';
BEGIN
    IF n % 2 = 1 THEN
        RAISE 'polygon: % numbers (an even number is needed: ra, dec of each vertex)', n USING ERRCODE = '22023';
    ELSIF n < 6 OR n > 200 THEN
        RAISE 'polygon: % vertices (3 to 100 are needed)', n / 2 USING ERRCODE = '22023';
    END IF;
    FOR i IN 1 .. n LOOP
        IF poly[i] IS NULL OR NOT (poly[i] > '-Infinity' AND poly[i] < 'Infinity') THEN
            RAISE 'polygon: element % is %', i, poly[i] USING ERRCODE = '22023';
        END IF;
    END LOOP;
    FOR i IN 1 .. n BY 2 LOOP
        x := x + cos(radians(poly[i + 1])) * cos(radians(poly[i]));
        y := y + cos(radians(poly[i + 1])) * sin(radians(poly[i]));
        z := z + sin(radians(poly[i + 1]));
    END LOOP;
    ra0 := degrees(atan2(y, x));
    dec0 := degrees(atan2(z, sqrt(x * x + y * y)));
    FOR i IN 1 .. n BY 2 LOOP
        h := 2.0 * power(sin(radians(poly[i] - ra0) / 2.0), 2);
        c := cos(radians(poly[i + 1] - dec0)) - cos(radians(poly[i + 1])) * cos(radians(dec0)) * h;
        IF c < 0.17364817766693033 THEN  -- cos(80 deg)
            RAISE 'polygon: too large (its vertices must lie within 80 deg of their mean). Split it.' USING ERRCODE = '22023';
        END IF;
        r := greatest(r, q3c_dist(ra0, dec0, poly[i], poly[i + 1]));
        plane := plane || ARRAY[
            cos(radians(poly[i + 1])) * sin(radians(poly[i] - ra0)) / c,
            (sin(radians(poly[i + 1] - dec0)) + sin(radians(dec0)) * cos(radians(poly[i + 1])) * h) / c];
    END LOOP;
    RETURN ARRAY[ra0, dec0, r] || plane;
END
    $$;
COMMENT ON FUNCTION sky_polygon(double precision[]) IS 'A polygon made ready for sky_in_polygon';

CREATE OR REPLACE FUNCTION sky_in_polygon(ra double precision, "dec" double precision, ready double precision[])
    RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
DECLARE
    h      double precision;
    c      double precision;
    n      integer := cardinality(ready);
    inside boolean := false;
    x      double precision;
    y      double precision;
    x0     double precision := ready[n - 1];
    y0     double precision := ready[n];
    x1     double precision;
    y1     double precision;
    side   double precision;
BEGIN
    IF NOT (abs($1) < 'Infinity' AND abs($2) < 'Infinity') THEN
        RETURN false;
    END IF;
    h := 2.0 * power(sin(radians($1 - ready[1]) / 2.0), 2);
    c := cos(radians($2 - ready[2])) - cos(radians($2)) * cos(radians(ready[2])) * h;
    IF c <= 0.0 THEN
        RETURN false;
    END IF;
    x := cos(radians($2)) * sin(radians($1 - ready[1])) / c;
    y := (sin(radians($2 - ready[2])) + sin(radians(ready[2])) * cos(radians($2)) * h) / c;
    FOR i IN 4 .. n - 1 BY 2 LOOP
        x1 := ready[i];
        y1 := ready[i + 1];
        IF y1 = y AND (x1 = x OR y0 = y AND (x0 > x) <> (x1 > x)) THEN
            RETURN false;  -- a vertex, or on an edge that runs along x
        ELSIF (y0 > y) <> (y1 > y) THEN
            side := (x1 - x0) * (y - y0) / (y1 - y0) + x0 - x;
            IF side = 0.0 THEN
                RETURN false;
            END IF;
            inside := inside <> (side > 0.0);
        END IF;
        x0 := x1;
        y0 := y1;
    END LOOP;
    RETURN inside;
END
    $$;
COMMENT ON FUNCTION sky_in_polygon(double precision, double precision, double precision[])
    IS 'Whether (ra, dec) lies in a polygon made ready by sky_polygon';

-- PostgreSQL's own polygon type can be taken apart only by its text.
CREATE OR REPLACE FUNCTION sky_vertices(poly polygon) RETURNS double precision[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT CAST(string_to_array(translate(CAST($1 AS text), '()', ''), ',') AS double precision[]) $$;
COMMENT ON FUNCTION sky_vertices(polygon) IS 'Vertices {ra1, dec1, ...} of a polygon';
