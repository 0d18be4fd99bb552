-- Functions that people call, by a pattern of their name: arguments, result, meaning and an example.
-- params:  pattern text
-- returns: name text, arguments text, result text, meaning text, example text
SELECT h.name,
       h.arguments,
       h.result,
       h.meaning,
       h.example
  FROM help(:pattern) AS h
 WHERE h.example IS NOT NULL
 ORDER BY h.name, h.arguments;
