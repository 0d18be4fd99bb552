-- Remove a sky map with its tracts, patches and links.
-- params:  skymap text
-- returns: count
DELETE FROM skymap
 WHERE skymap.skymap = :skymap;
