-- Rectangles of bad pixels of a master of kind defects.
-- params:  master_id bigint
-- returns: x0_pix integer, y0_pix integer, width_pix integer, height_pix integer, cause text
SELECT d.x0_pix,
       d.y0_pix,
       d.width_pix,
       d.height_pix,
       d.cause
  FROM master_defect AS d
 WHERE d.master_id = :master_id
 ORDER BY d.cause, d.y0_pix, d.x0_pix, d.width_pix, d.height_pix;
