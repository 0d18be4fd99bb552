-- The operator of 0290 stands on a function of its own. A dump that is restored by an owner who is no superuser loses the
-- operator class; with a function that only a superuser may make, it loses the operator, too, and xmatch, which looks
-- for the operator, does without. An operator that was left alone by an earlier restore is dropped.
DO $$
BEGIN
    IF (SELECT r.rolsuper FROM pg_roles AS r WHERE r.rolname = current_user) THEN
        DROP OPERATOR FAMILY IF EXISTS near_integer_ops USING hash;
        DROP OPERATOR IF EXISTS =#= (integer, integer);
        CREATE FUNCTION near_integer_eq(integer, integer) RETURNS boolean
            LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF AS 'int4eq';
        COMMENT ON FUNCTION near_integer_eq(integer, integer) IS 'Equality of integers, for the operator =#=';
        CREATE OPERATOR =#= (LEFTARG = integer, RIGHTARG = integer, FUNCTION = near_integer_eq, COMMUTATOR = =#=,
                             RESTRICT = eqsel, JOIN = eqjoinsel, HASHES);
        COMMENT ON OPERATOR =#= (integer, integer) IS 'Equal, and hashed by the number itself: for the cells of xmatch';
        CREATE OPERATOR CLASS near_integer_ops FOR TYPE integer USING hash
            AS OPERATOR 1 =#= (integer, integer), FUNCTION 1 int4up(integer);
    ELSIF to_regoperator('=#=(integer,integer)') IS NOT NULL
          AND NOT EXISTS (SELECT FROM pg_amop AS a WHERE a.amopopr = to_regoperator('=#=(integer,integer)')) THEN
        DROP OPERATOR =#= (integer, integer);
    END IF;
END
$$;
