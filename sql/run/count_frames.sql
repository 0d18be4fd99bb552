-- How many frames there are for each --id, to tell which of them found nothing.
-- params:  ids jsonb
-- returns: place bigint, n_frame bigint
SELECT i.place,
       count(s.visit) AS n_frame
  FROM jsonb_array_elements(CAST(:ids AS jsonb)) WITH ORDINALITY AS i (id, place)
  LEFT JOIN selected_frame(CAST(:ids AS jsonb), NULL, NULL) AS s ON s.place = i.place
 GROUP BY i.place
 ORDER BY i.place;
