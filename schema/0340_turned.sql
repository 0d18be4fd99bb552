-- A search a turn away is now asked for by sky_turn, only where a table may have such rows; both were in functions/.
DROP FUNCTION IF EXISTS sky_ra_turned(double precision);
