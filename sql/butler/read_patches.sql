-- The patches of a tract.
-- params:  skymap text, tract integer
-- returns: patch_x integer, patch_y integer, inner_x0_pix integer, inner_y0_pix integer, inner_x1_pix integer,
--          inner_y1_pix integer, outer_x0_pix integer, outer_y0_pix integer, outer_x1_pix integer, outer_y1_pix integer
SELECT p.patch_x,
       p.patch_y,
       p.inner_x0_pix,
       p.inner_y0_pix,
       p.inner_x1_pix,
       p.inner_y1_pix,
       p.outer_x0_pix,
       p.outer_y0_pix,
       p.outer_x1_pix,
       p.outer_y1_pix
  FROM patch AS p
 WHERE p.skymap = :skymap
   AND p.tract = :tract
 ORDER BY p.patch_y, p.patch_x;
