-- Bits of two numbers interleaved, as in the pixel numbers of Q3C and of HEALPix.
CREATE OR REPLACE FUNCTION sky_spread_bits(i bigint) RETURNS bigint
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
BEGIN
    i := (i | (i << 16)) & 281470681808895;
    i := (i | (i << 8)) & 71777214294589695;
    i := (i | (i << 4)) & 1085102592571150095;
    i := (i | (i << 2)) & 3689348814741910323;
    RETURN (i | (i << 1)) & 6148914691236517205;
END
    $$;
COMMENT ON FUNCTION sky_spread_bits(bigint) IS 'The 30 low bits moved to even places';

CREATE OR REPLACE FUNCTION sky_gather_bits(i bigint) RETURNS bigint
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
BEGIN
    i := i & 6148914691236517205;
    i := (i | (i >> 1)) & 3689348814741910323;
    i := (i | (i >> 2)) & 1085102592571150095;
    i := (i | (i >> 4)) & 71777214294589695;
    i := (i | (i >> 8)) & 281470681808895;
    RETURN (i | (i >> 16)) & 4294967295;
END
    $$;
COMMENT ON FUNCTION sky_gather_bits(bigint) IS 'The even bits moved side by side';
