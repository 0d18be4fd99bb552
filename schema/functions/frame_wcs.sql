-- WCS and flux scale of a frame evaluated from the rows of wcs_solution and flux_scale, as hscdb/sky/wcs.py and
-- hscdb/apply/solution.py do it: agreement to 1e-9 pix and 1e-12 of the flux is tested.

-- A polynomial with coefficients c_pq, for p in 0..order, for q in 0..order-p, and its derivatives: Horner in both.
CREATE OR REPLACE FUNCTION sky_polynomial(
    c double precision[], n integer, x double precision, y double precision,
    OUT total double precision, OUT dx double precision, OUT dy double precision
)
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
DECLARE
    k     integer := cardinality(c);
    part  double precision;
    slope double precision;
BEGIN
    total := 0.0;
    dx := 0.0;
    dy := 0.0;
    FOR p IN REVERSE n .. 0 LOOP
        part := 0.0;
        slope := 0.0;
        FOR q IN REVERSE n - p .. 0 LOOP
            slope := slope * y + part;
            part := part * y + c[k];
            k := k - 1;
        END LOOP;
        dx := dx * x + total;
        total := total * x + part;
        dy := dy * x + slope;
    END LOOP;
END
    $$;
COMMENT ON FUNCTION sky_polynomial(double precision[], integer, double precision, double precision)
    IS 'A polynomial of two variables and its derivatives, coefficients as in wcs_solution.sip_a';

CREATE OR REPLACE FUNCTION sky_frame_place(
    w wcs_solution, x double precision, y double precision,
    OUT ra double precision, OUT "dec" double precision, OUT area_deg2 double precision
)
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
DECLARE
    u   double precision := x - w.crpix1_pix;
    v   double precision := y - w.crpix2_pix;
    a   record;
    b   record;
    xi  double precision;
    eta double precision;
    c   double precision;
BEGIN
    IF w.task_id IS NULL OR u IS NULL OR v IS NULL THEN
        RETURN;
    END IF;
    a := sky_polynomial(w.sip_a, w.sip_order, u, v);
    b := sky_polynomial(w.sip_b, w.sip_order, u, v);
    xi := radians(w.cd1_1_deg * (u + a.total) + w.cd1_2_deg * (v + b.total));
    eta := radians(w.cd2_1_deg * (u + a.total) + w.cd2_2_deg * (v + b.total));
    c := cos(radians(w.crval2_deg)) - eta * sin(radians(w.crval2_deg));
    ra := sky_ra(w.crval1_deg + degrees(atan2(xi, c)));
    "dec" := degrees(atan2(sin(radians(w.crval2_deg)) + eta * cos(radians(w.crval2_deg)), sqrt(xi * xi + c * c)));
    area_deg2 := abs((w.cd1_1_deg * w.cd2_2_deg - w.cd1_2_deg * w.cd2_1_deg)
                     * ((1.0 + a.dx) * (1.0 + b.dy) - a.dy * b.dx)) * power(1.0 + xi * xi + eta * eta, -1.5);
END
    $$;
COMMENT ON FUNCTION sky_frame_place(wcs_solution, double precision, double precision)
    IS 'ra, dec [deg] and solid angle [deg2] of a pixel (counted from 0) by a row of wcs_solution';

CREATE OR REPLACE FUNCTION frame_to_sky(w wcs_solution, x double precision, y double precision) RETURNS skycoord
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT CAST(ROW(p.ra, p."dec") AS skycoord) FROM sky_frame_place($1, $2, $3) AS p $$;
COMMENT ON FUNCTION frame_to_sky(wcs_solution, double precision, double precision)
    IS 'Direction of a pixel of a frame (counted from 0) by a row of wcs_solution';

-- Joint solutions have their tangent point in the middle of the frame: its last pixels are twice as far. The logarithm
-- is a parabola along each axis.
CREATE OR REPLACE FUNCTION frame_place_err(w wcs_solution, x double precision, y double precision)
    RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT exp(sum(ln(n.err) * CASE (n.i - 1) % 3 WHEN 0 THEN (1.0 - 2.0 * p.x) * (1.0 - p.x)
                                              WHEN 1 THEN 4.0 * p.x * (1.0 - p.x)
                                              ELSE p.x * (2.0 * p.x - 1.0) END
                         * CASE (n.i - 1) / 3 WHEN 0 THEN (1.0 - 2.0 * p.y) * (1.0 - p.y)
                                              WHEN 1 THEN 4.0 * p.y * (1.0 - p.y)
                                              ELSE p.y * (2.0 * p.y - 1.0) END))
  FROM unnest(CAST(($1).place_mas_err AS double precision[])) WITH ORDINALITY AS n(err, i),
       (SELECT least(greatest($2 / (2.0 * ($1).crpix1_pix), 0.0), 1.0) AS x,
               least(greatest($3 / (2.0 * ($1).crpix2_pix), 0.0), 1.0) AS y) AS p
    $$;
COMMENT ON FUNCTION frame_place_err(wcs_solution, double precision, double precision)
    IS 'One sigma per axis [mas] of the direction that frame_to_sky gives for a pixel, by a row of wcs_solution, stage mosaic; NULL for other stages';

-- Newton's iteration to 1e-9 pix from the point without distortion; NULL where it has no inverse.
CREATE OR REPLACE FUNCTION sky_to_frame(w wcs_solution, ra double precision, "dec" double precision) RETURNS skypixel
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
DECLARE
    h     double precision := 2.0 * power(sin(radians(ra - w.crval1_deg) / 2.0), 2);
    c     double precision := cos(radians("dec" - w.crval2_deg)) - cos(radians("dec")) * cos(radians(w.crval2_deg)) * h;
    det   double precision := w.cd1_1_deg * w.cd2_2_deg - w.cd1_2_deg * w.cd2_1_deg;
    xi    double precision;
    eta   double precision;
    u0    double precision;
    v0    double precision;
    u     double precision;
    v     double precision;
    du    double precision;
    dv    double precision;
    slope double precision;
    a     record;
    b     record;
BEGIN
    IF NOT c > 0.0 OR w.task_id IS NULL THEN
        RETURN NULL;
    END IF;
    xi := degrees(cos(radians("dec")) * sin(radians(ra - w.crval1_deg)) / c);
    eta := degrees((sin(radians("dec" - w.crval2_deg)) + sin(radians(w.crval2_deg)) * cos(radians("dec")) * h) / c);
    u0 := (w.cd2_2_deg * xi - w.cd1_2_deg * eta) / det;
    v0 := (w.cd1_1_deg * eta - w.cd2_1_deg * xi) / det;
    u := u0;
    v := v0;
    FOR round IN 1 .. 20 LOOP
        a := sky_polynomial(w.sip_a, w.sip_order, u, v);
        b := sky_polynomial(w.sip_b, w.sip_order, u, v);
        slope := (1.0 + a.dx) * (1.0 + b.dy) - a.dy * b.dx;
        IF NOT slope > 0.0 OR abs(u) > 1e6 OR abs(v) > 1e6 THEN
            RETURN NULL;
        END IF;
        du := ((1.0 + b.dy) * (u + a.total - u0) - a.dy * (v + b.total - v0)) / slope;
        dv := ((1.0 + a.dx) * (v + b.total - v0) - b.dx * (u + a.total - u0)) / slope;
        u := u - du;
        v := v - dv;
        IF abs(du) < 1e-9 AND abs(dv) < 1e-9 THEN
            RETURN CAST(ROW(u + w.crpix1_pix, v + w.crpix2_pix) AS skypixel);
        END IF;
    END LOOP;
    RETURN NULL;
END
    $$;
COMMENT ON FUNCTION sky_to_frame(wcs_solution, double precision, double precision)
    IS 'Pixel of a frame (counted from 0) of a direction [deg] by a row of wcs_solution; NULL where there is none';

CREATE OR REPLACE FUNCTION frame_flux_factor(
    f flux_scale, area_deg2 double precision, x double precision, y double precision
) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
SELECT power(10.0::float8, -0.4::float8 * p.total) * CASE WHEN ($1).has_jacobian THEN $2 / ($1).jacobian_area_deg2 ELSE 1.0::float8 END
  FROM sky_polynomial(($1).poly_mag, ($1).poly_order, $3 + ($1).x0_pix, $4 + ($1).y0_pix) AS p
    $$;
COMMENT ON FUNCTION frame_flux_factor(flux_scale, double precision, double precision, double precision)
    IS 'F = 10^(-0.4 P) J at a pixel of a frame, with its solid angle [deg2]; counts times F over flux_mag0_e are AB flux / 3631 Jy';
