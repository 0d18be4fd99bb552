-- How many stars of a task there are, by what matters.
-- params:  task_id bigint
-- returns: n_star bigint, n_member bigint, n_ambiguous bigint, n_reserved bigint, n_with_ref bigint
SELECT count(*) AS n_star,
       (SELECT count(*) FROM star_member AS m WHERE m.task_id = :task_id) AS n_member,
       count(*) FILTER (WHERE s.is_ambiguous) AS n_ambiguous,
       count(*) FILTER (WHERE s.is_reserved) AS n_reserved,
       (SELECT count(DISTINCT r.star_id) FROM star_ref AS r WHERE r.task_id = :task_id) AS n_with_ref
  FROM star AS s
 WHERE s.task_id = :task_id;
