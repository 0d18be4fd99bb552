-- An example of each function that people call: of the demonstration, so that there it finds something. A test runs them
-- all, and fails for a function without one. `taking` tells overloads apart, as a pattern of their arguments' types.
CREATE OR REPLACE FUNCTION sky_examples() RETURNS TABLE (name text, example text, taking text)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 100
    AS $$
VALUES
    ('q3c_version', 'SELECT q3c_version()', '%'),
    ('q3c_ang2ipix', 'SELECT q3c_ang2ipix(ra, dec), count(*) FROM ref_star GROUP BY 1', '%'),
    ('q3c_ipix2ang', 'SELECT q3c_ipix2ang(2017612633061982208)', '%'),
    ('q3c_pixarea', 'SELECT q3c_pixarea(q3c_ang2ipix(320.75, 0.5), 20)', '%'),
    ('q3c_ipixcenter', 'SELECT q3c_ipixcenter(ra, dec, 18), count(*) FROM ref_star GROUP BY 1', '%'),
    ('q3c_dist', 'SELECT q3c_dist(320.75, 0.5, 320.85, 0.6) * 3600', '%'),
    ('q3c_sindist', 'SELECT q3c_sindist(320.75, 0.5, 320.85, 0.6)', '%'),
    ('q3c_dist_pm', 'SELECT q3c_dist_pm(320.75, 0.5, 120, -30, 1, 2016.0, 320.85, 0.6, 2024.5)', '%'),
    ('q3c_sindist_pm', 'SELECT q3c_sindist_pm(320.75, 0.5, 120, -30, 1, 2016.0, 320.85, 0.6, 2024.5)', '%'),
    ('q3c_radial_query', 'SELECT * FROM ref_star WHERE q3c_radial_query(ra, dec, 320.75, 0.5, 0.1)', '%'),
    ('q3c_join', 'SELECT s.star_id, r.ref_id FROM star AS s JOIN ref_star AS r ON q3c_join(s.ra, s.dec, r.ra, r.dec, 1.0 / 3600)', '%'),
    ('q3c_join_pm', 'SELECT r.ref_id, s.star_id FROM ref_star AS r JOIN star AS s ON q3c_join_pm(r.ra, r.dec, r.pm_ra_mas_yr, r.pm_dec_mas_yr, 1, 2016.0, s.ra, s.dec, 2020.0, 10, 1.0 / 3600)', '%'),
    ('q3c_ellipse_query', 'SELECT * FROM star WHERE q3c_ellipse_query(ra, dec, 320.75, 0.5, 0.1, 0.5, 30)', '%'),
    ('q3c_ellipse_join', 'SELECT v.visit, s.star_id FROM visit AS v JOIN star AS s ON q3c_ellipse_join(v.ra, v.dec, s.ra, s.dec, 0.1, 0.5, 30)', '%'),
    ('q3c_in_ellipse', 'SELECT q3c_in_ellipse(320.75, 0.55, 320.75, 0.5, 0.1, 0.5, 30)', '%'),
    ('q3c_poly_query', 'SELECT * FROM star WHERE q3c_poly_query(ra, dec, ARRAY[320.6, 0.4, 320.9, 0.4, 320.75, 0.7])', '%[]'),
    ('q3c_poly_query', 'SELECT * FROM star WHERE q3c_poly_query(ra, dec, polygon ''((320.6, 0.4), (320.9, 0.4), (320.75, 0.7))'')', '%polygon'),
    ('q3c_in_poly', 'SELECT q3c_in_poly(320.75, 0.5, ARRAY[320.6, 0.4, 320.9, 0.4, 320.75, 0.7])', '%[]'),
    ('q3c_in_poly', 'SELECT q3c_in_poly(320.75, 0.5, polygon ''((320.6, 0.4), (320.9, 0.4), (320.75, 0.7))'')', '%polygon'),
    ('xmatch', 'SELECT * FROM xmatch(''star'', ''ref_star'', 1.0, ''best'')', '%'),
    ('xmatch_moving', 'SELECT * FROM xmatch_moving(''ref_star'', ''source_info'', 1.0, ''mutual'', right_key => ''source_id'')', '%'),
    ('conesearch', 'SELECT * FROM star WHERE coneSearch(ra, dec, 320.75, 0.5, 60)', 'double precision%'),
    ('conesearch', 'SELECT * FROM hsc_star WHERE coneSearch(coord, 320.75, 0.5, 60)', 'skycoord%'),
    ('boxsearch', 'SELECT * FROM star WHERE boxSearch(ra, dec, 320.7, 320.8, 0.45, 0.55)', 'double precision%'),
    ('boxsearch', 'SELECT * FROM hsc_star WHERE boxSearch(coord, 320.7, 320.8, 0.45, 0.55)', 'skycoord%'),
    ('polygonsearch', 'SELECT * FROM star WHERE polygonSearch(ra, dec, ARRAY[320.6, 0.4, 320.9, 0.4, 320.75, 0.7])', 'double precision%'),
    ('polygonsearch', 'SELECT * FROM hsc_star WHERE polygonSearch(coord, ARRAY[320.6, 0.4, 320.9, 0.4, 320.75, 0.7])', 'skycoord%'),
    ('tractsearch', 'SELECT * FROM hsc_star WHERE tractSearch(object_id, 0, 3)', 'bigint, integer, integer'),
    ('tractsearch', 'SELECT * FROM hsc_star WHERE tractSearch(object_id, 0)', 'bigint, integer'),
    ('radec_to_coord', 'SELECT radec_to_coord(320.75, 0.5)', '%'),
    ('coord_to_ra', 'SELECT coord_to_ra(coord) FROM hsc_star', '%'),
    ('coord_to_dec', 'SELECT coord_to_dec(coord) FROM hsc_star', '%'),
    ('tract_from_object_id', 'SELECT tract_from_object_id(object_id), count(*) FROM hsc_star GROUP BY 1', '%'),
    ('patch_from_object_id', 'SELECT patch_from_object_id(42836806914539521)', '%'),
    ('patch_s_from_object_id', 'SELECT patch_s_from_object_id(42836806914539521)', '%'),
    ('skymap_from_object_id', 'SELECT skymap_from_object_id(42836806914539521)', '%'),
    ('sky_to_pixel', 'SELECT skymap_id, (sky_to_pixel(wcs, 320.75, 0.5)).* FROM hsc_skymap', '%'),
    ('pixel_to_sky', 'SELECT skymap_id, (pixel_to_sky(wcs, 1000, 2000)).* FROM hsc_skymap', '%'),
    ('patch_contains', 'SELECT skymap_id FROM hsc_skymap WHERE patch_contains(patch_area, wcs, 320.75, 0.5)', '%'),
    ('tract_wcs', 'SELECT t.tract, tract_wcs(t) FROM tract AS t', '%'),
    ('hms2deg', 'SELECT hms2deg(''21:23:00.0'')', '%'),
    ('dms2deg', 'SELECT dms2deg(''-05:10:20.5'')', '%'),
    ('deg2hms', 'SELECT deg2hms(320.75)', '%'),
    ('deg2dms', 'SELECT deg2dms(-5.17)', '%'),
    ('skewness', 'SELECT skewness(mag_after_mmag) FROM star_residual', '%'),
    ('kurtosis', 'SELECT kurtosis(mag_after_mmag) FROM star_residual', '%'),
    ('weighted_mean', 'SELECT star_id, weighted_mean(mag, 1 / (mag_err * mag_err)) FROM star_residual GROUP BY star_id', '%'),
    ('avg', 'SELECT star_id, avg(mag, CAST(mag_err AS double precision)) FROM star_residual GROUP BY star_id', '%'),
    ('chi2_per_freedom', 'SELECT star_id, chi2_per_freedom(mag, mag_err) FROM star_residual GROUP BY star_id', '%'),
    ('c_isfinite', 'SELECT count(*) FROM source WHERE c_isfinite(psf_flux_e)', '%'),
    ('c_isinf', 'SELECT c_isinf(c_log10(0))', '%'),
    ('c_isnan', 'SELECT c_isnan(c_sqrt(-1))', '%'),
    ('c_multiply', 'SELECT c_multiply(1e200, 1e200)', '%'),
    ('c_divide', 'SELECT star_id, c_divide(flux_njy, n_visit - 2) FROM star', '%'),
    ('c_sqrt', 'SELECT c_sqrt(-1)', '%'),
    ('c_exp', 'SELECT c_exp(1e100)', '%'),
    ('c_log', 'SELECT c_log(0)', '%'),
    ('c_log10', 'SELECT -2.5 * c_log10(psf_flux_e) FROM source', '%'),
    ('c_pow', 'SELECT c_pow(10, 400)', '%'),
    ('c_sin', 'SELECT c_sin(radians(30))', '%'),
    ('c_cos', 'SELECT c_cos(radians(60))', '%'),
    ('c_sqrtf', 'SELECT c_sqrtf(CAST(2 AS real))', '%'),
    ('c_log10f', 'SELECT -2.5 * c_log10f(psf_flux_e) FROM source', '%'),
    ('c_powf', 'SELECT c_powf(CAST(10 AS real), CAST(39 AS real))', '%'),
    ('sample', 'SELECT * FROM ref_star WHERE sample(ref_id, 1.0)', '%'),
    ('njy_to_abmag', 'SELECT njy_to_abmag(flux_njy) FROM star', '%'),
    ('njy_to_abmag_err', 'SELECT njy_to_abmag_err(flux_njy, flux_njy_err) FROM ref_flux', '%'),
    ('abmag_to_njy', 'SELECT abmag_to_njy(22.5)', '%'),
    ('njy_to_asinhmag', 'SELECT njy_to_asinhmag(-3.0, 10.0)', '%'),
    ('mask_names', 'SELECT mask_names(5)', '%'),
    ('mask_bits', 'SELECT mask_bits(''SAT'', ''BAD'')', '%'),
    ('flag_names', 'SELECT flag_names(5)', '%'),
    ('flag_bits', 'SELECT flag_bits(''edge'')', '%'),
    ('fphotoflags', 'SELECT fPhotoFlags(''edge'')', '%'),
    ('fphotoflagsn', 'SELECT fPhotoFlagsN(5)', '%'),
    ('healpix_nest', 'SELECT healpix_nest(10, ra, dec), count(*) FROM ref_star GROUP BY 1', '%'),
    ('healpix_ring', 'SELECT healpix_ring(10, 320.75, 0.5)', '%'),
    ('healpix_center', 'SELECT (healpix_center(10, 12345)).*', '%'),
    ('ivo_healpix_index', 'SELECT ivo_healpix_index(10, 320.75, 0.5)', '%'),
    ('ivo_healpix_center', 'SELECT (ivo_healpix_center(12345, 10)).*', '%'),
    ('ccd_search', 'SELECT * FROM ccd_search(320.75, 0.5)', '%'),
    ('visit_search', 'SELECT * FROM visit_search(320.75, 0.5)', '%'),
    ('patch_search', 'SELECT * FROM patch_search(320.75, 0.5)', '%'),
    ('lightcurve', 'SELECT * FROM lightcurve(320.75, 0.5, 60.0)', 'double precision%'),
    ('lightcurve', 'SELECT l.* FROM star AS s CROSS JOIN LATERAL lightcurve(s.task_id, s.star_id) AS l', 'bigint%'),
    ('frame_to_sky', 'SELECT w.visit, w.ccd, (frame_to_sky(w, 1024, 2048)).* FROM wcs_solution AS w', '%'),
    ('frame_place_err', 'SELECT w.visit, w.ccd, frame_place_err(w, 1024, 2048) FROM wcs_solution AS w', '%'),
    ('sky_to_frame', 'SELECT w.visit, w.ccd, (sky_to_frame(w, 320.75, 0.5)).* FROM wcs_solution AS w', '%'),
    ('frame_flux_factor', 'SELECT f.visit, f.ccd, frame_flux_factor(f, f.jacobian_area_deg2, 1024, 2048) FROM flux_scale AS f', '%'),
    ('fdistancearcmineq', 'SELECT fDistanceArcMinEq(320.75, 0.5, 320.85, 0.6)', '%'),
    ('fgetnearbyobjeq', 'SELECT * FROM fGetNearbyObjEq(320.75, 0.5, 1.0)', '%'),
    ('fgetnearbyobjalleq', 'SELECT * FROM fGetNearbyObjAllEq(320.75, 0.5, 1.0)', '%'),
    ('fgetnearestobjeq', 'SELECT * FROM fGetNearestObjEq(320.75, 0.5, 1.0)', '%'),
    ('fgetnearestobjalleq', 'SELECT * FROM fGetNearestObjAllEq(320.75, 0.5, 1.0)', '%'),
    ('fgetnearestobjideq', 'SELECT fGetNearestObjIdEq(320.75, 0.5, 1.0)', '%'),
    ('fgetnearestobjidalleq', 'SELECT fGetNearestObjIdAllEq(320.75, 0.5, 1.0)', '%'),
    ('fgetnearestobjideqtype', 'SELECT fGetNearestObjIdEqType(320.75, 0.5, 1.0, 6)', '%'),
    ('fgetnearestobjideqmode', 'SELECT fGetNearestObjIdEqMode(320.75, 0.5, 1.0, 1)', '%'),
    ('fgetobjfromrect', 'SELECT * FROM fGetObjFromRect(320.7, 320.8, 0.45, 0.55)', '%'),
    ('fgetobjfromrecteq', 'SELECT * FROM fGetObjFromRectEq(320.7, 0.45, 320.8, 0.55)', '%'),
    ('fgetnearbyframeeq', 'SELECT * FROM fGetNearbyFrameEq(320.75, 0.5, 30.0, 0)', '%'),
    ('fgetnearestframeeq', 'SELECT * FROM fGetNearestFrameEq(320.75, 0.5, 0)', '%'),
    ('fgetnearestframeideq', 'SELECT fGetNearestFrameidEq(320.75, 0.5, 0)', '%'),
    ('fdistancearcminxyz', 'SELECT fDistanceArcMinXYZ(1, 0, 0, 0.8, 0.6, 0)', '%'),
    ('fgetnearbyobjxyz', 'SELECT * FROM fGetNearbyObjXYZ(0.77435, -0.63270, 0.00873, 1.0)', '%'),
    ('fgetnearbyobjallxyz', 'SELECT * FROM fGetNearbyObjAllXYZ(0.77435, -0.63270, 0.00873, 1.0)', '%'),
    ('fgetnearestobjxyz', 'SELECT * FROM fGetNearestObjXYZ(0.77435, -0.63270, 0.00873, 1.0)', '%'),
    ('end_overtime', 'SELECT * FROM end_overtime(3600)', '%'),
    ('star_lot', 'SELECT count(*) FILTER (WHERE star_lot(ra, dec) < 100) FROM star', 'double precision, double precision'),
    ('star_lot', 'SELECT star_lot(cx, cy, cz) FROM fGetNearestObjEq(320.75, 0.5, 1.0)', 'double precision, double precision, double precision'),
    ('provenance', 'SELECT * FROM provenance(''calexp'', 902800, 50)', 'text%'),
    ('provenance', 'SELECT p.* FROM run AS r CROSS JOIN LATERAL provenance(r.run_id, 902800, 50, 0) AS p', 'bigint, bigint, integer, integer'),
    ('provenance', 'SELECT p.* FROM star AS s CROSS JOIN LATERAL provenance(s.task_id, s.star_id) AS p WHERE s.star_id = 1', 'bigint, bigint'),
    ('run_chain', 'SELECT r.name, c.* FROM run AS r CROSS JOIN LATERAL run_chain(r.run_id) AS c', '%'),
    ('done_task', 'SELECT * FROM done_task((SELECT max(run_id) FROM run), ''calibrate'')', '%'),
    ('help', 'SELECT * FROM help(''q3c%'')', '%')
    $$;
COMMENT ON FUNCTION sky_examples() IS 'Examples of the functions that people call';

CREATE OR REPLACE FUNCTION help(pattern text DEFAULT '%')
    RETURNS TABLE (name text, arguments text, result text, meaning text, example text)
    LANGUAGE sql STABLE PARALLEL SAFE ROWS 100
    AS $$
SELECT CAST(p.proname AS text), pg_get_function_arguments(p.oid),
       COALESCE(pg_get_function_result(p.oid), 'aggregate')
       || COALESCE((SELECT '(' || string_agg(quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod), ', ' ORDER BY a.attnum) || ')'
                      FROM pg_type AS t
                      JOIN pg_class AS c ON c.oid = t.typrelid AND c.relkind = 'c'
                      JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                     WHERE t.oid = p.prorettype), ''),
       CASE WHEN p.proname NOT LIKE 'q3c\_%' OR p.proname IN ('q3c_version', 'q3c_pixarea') THEN obj_description(p.oid, 'pg_proc')
            ELSE COALESCE(obj_description(p.oid, 'pg_proc'), 'Q3C''s own')  -- which has no comments
                 || '; angles [deg]'
                 || CASE WHEN p.proname LIKE '%\_pm'
                         THEN ', motions [mas/yr], cosdec_flag 1 where that in RA holds cos(dec), epochs [yr]' ELSE '' END
       END, e.example
  FROM pg_proc AS p
  LEFT JOIN sky_examples() AS e ON e.name = p.proname AND oidvectortypes(p.proargtypes) LIKE e.taking
 WHERE p.pronamespace = CAST(current_schema() AS regnamespace)
   AND p.prorettype <> CAST('trigger' AS regtype)
   AND p.proname ILIKE pattern
   AND (e.example IS NOT NULL OR pattern <> '%')
 ORDER BY p.proname, 2
    $$;
COMMENT ON FUNCTION help(text) IS 'The functions of this database whose name is like a pattern: arguments, result, meaning and an example; without a pattern those that people call';
