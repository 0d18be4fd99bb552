-- Note that a file has been read into a reference catalog.
-- params:  ref_catalog_id integer, sha256 text, path text, n_row bigint, n_stored bigint
-- returns: count
INSERT INTO ref_file (ref_catalog_id, sha256, path, n_row, n_stored)
VALUES (:ref_catalog_id, :sha256, :path, :n_row, :n_stored);
