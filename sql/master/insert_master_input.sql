-- Store a frame that went into a master, its level and what it was divided by.
-- params:  master_id bigint, visit bigint, ccd integer, mean_level double precision, weight double precision
-- returns: count
INSERT INTO master_input (master_id, visit, ccd, mean_level, weight)
VALUES (:master_id, :visit, :ccd, :mean_level, :weight);
