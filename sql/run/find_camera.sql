-- The camera of this repository, if it was entered.
-- params:  camera text
-- returns: camera text, description_sha256 text
SELECT c.camera,
       c.description_sha256
  FROM camera AS c
 WHERE c.camera = :camera;
