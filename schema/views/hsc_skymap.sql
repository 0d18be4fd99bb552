-- Patches as in the HSC-SSP view skymap: FROM hsc_skymap WHERE patch_contains(patch_area, wcs, ra, dec).
CREATE VIEW hsc_skymap AS
SELECT CAST(10000 AS bigint) * p.tract + 100 * p.patch_x + p.patch_y  AS skymap_id,
       p.skymap                                                       AS skymap,
       p.tract                                                        AS tract,
       100 * p.patch_x + p.patch_y                                    AS patch,
       CAST(p.patch_x AS text) || ',' || CAST(p.patch_y AS text)      AS patch_s,
       CAST(ROW(p.outer_x0_pix, p.outer_y0_pix, p.outer_x1_pix, p.outer_y1_pix) AS patchbox)  AS patch_area,
       tract_wcs(t)                                                   AS wcs,
       p.outer_x1_pix - p.outer_x0_pix + 1                            AS naxis1,
       p.outer_y1_pix - p.outer_y0_pix + 1                            AS naxis2,
       CAST(t.crpix1_pix + 1 - p.outer_x0_pix AS finite8)             AS crpix1,
       CAST(t.crpix2_pix + 1 - p.outer_y0_pix AS finite8)             AS crpix2,
       t.ra                                                           AS crval1,
       t.dec                                                          AS crval2,
       CAST(-t.pixel_scale_arcsec / 3600.0 AS finite8)                AS cd1_1,
       CAST(t.pixel_scale_arcsec / 3600.0 AS finite8)                 AS cd2_2
  FROM patch AS p
  JOIN tract AS t ON t.skymap = p.skymap AND t.tract = p.tract;
COMMENT ON VIEW   hsc_skymap             IS 'Patches with their projection, by the names of the HSC-SSP view skymap';
COMMENT ON COLUMN hsc_skymap.skymap_id   IS '[-] {meta.id;pos} 10000 tract + 100 patch_x + patch_y';
COMMENT ON COLUMN hsc_skymap.skymap      IS '[-] {meta.id} sky map';
COMMENT ON COLUMN hsc_skymap.tract       IS '[-] {meta.id;pos} tract';
COMMENT ON COLUMN hsc_skymap.patch       IS '[-] {meta.id;pos} 100 patch_x + patch_y';
COMMENT ON COLUMN hsc_skymap.patch_s     IS '[-] {meta.id;pos} patch_x,patch_y';
COMMENT ON COLUMN hsc_skymap.patch_area  IS '[pix] {pos.cartesian} pixels of the patch in its tract, border included, counted from 0';
COMMENT ON COLUMN hsc_skymap.wcs         IS '[deg] {pos.wcs} projection of the tract';
COMMENT ON COLUMN hsc_skymap.naxis1      IS '[pix] {pos.wcs.naxis} columns of the patch';
COMMENT ON COLUMN hsc_skymap.naxis2      IS '[pix] {pos.wcs.naxis} rows of the patch';
COMMENT ON COLUMN hsc_skymap.crpix1      IS '[pix] {pos.wcs.crpix} column of the tangent point, counted from 1 in the patch';
COMMENT ON COLUMN hsc_skymap.crpix2      IS '[pix] {pos.wcs.crpix} row of the tangent point, counted from 1 in the patch';
COMMENT ON COLUMN hsc_skymap.crval1      IS '[deg] {pos.wcs.crval} right ascension of the tangent point, ICRS';
COMMENT ON COLUMN hsc_skymap.crval2      IS '[deg] {pos.wcs.crval} declination of the tangent point, ICRS';
COMMENT ON COLUMN hsc_skymap.cd1_1       IS '[deg/pix] {pos.wcs.cdmatrix} CD1_1';
COMMENT ON COLUMN hsc_skymap.cd2_2       IS '[deg/pix] {pos.wcs.cdmatrix} CD2_2';
