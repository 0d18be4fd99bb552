-- Give a unit's lock back.
-- params:  lock_key bigint
-- returns: is_released boolean
SELECT pg_advisory_unlock(:lock_key) AS is_released;
