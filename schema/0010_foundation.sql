-- What every table below builds on: numbers that are numbers, and the words of the project.
-- NaN sorts above every number in PostgreSQL, passes `x > 2` and poisons avg(): these domains refuse it.
CREATE DOMAIN finite8 AS double precision CHECK (VALUE > '-Infinity' AND VALUE < 'Infinity');
CREATE DOMAIN finite4 AS real             CHECK (VALUE > '-Infinity' AND VALUE < 'Infinity');

CREATE TABLE flag_doc (
    kind        text     NOT NULL CHECK (kind IN ('source', 'pixel')),
    bit_number  smallint NOT NULL CHECK (bit_number BETWEEN 0 AND 62),
    name        text     NOT NULL,
    meaning     text     NOT NULL,
    PRIMARY KEY (kind, bit_number),
    UNIQUE (kind, name)
);
COMMENT ON TABLE  flag_doc             IS 'Meaning of the bits of source.flags (kind source) and of the pixel masks (kind pixel)';
COMMENT ON COLUMN flag_doc.kind        IS '[-] {meta.code.class} which flag word: source or pixel';
COMMENT ON COLUMN flag_doc.bit_number  IS '[-] {meta.number} bit number, counted from 0; never reassigned';
COMMENT ON COLUMN flag_doc.name        IS '[-] {meta.id} name of the flag';
COMMENT ON COLUMN flag_doc.meaning     IS '[-] {meta.note} what a set bit says';

-- Zones of 8" in declination (Gray, Nieto-Santisteban & Szalay 2007): every sky index is a btree on (sky_zone(dec), ra).
-- least() and greatest() also put a NaN somewhere (zone 81000), where no distance test lets it pass.
CREATE FUNCTION sky_zone(double precision) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT CAST(floor((least(greatest($1, -90.0::float8), 90.0::float8) + 90.0::float8) * 450.0::float8) AS integer) $$;
COMMENT ON FUNCTION sky_zone(double precision) IS 'Zone of a declination: floor((dec + 90) * 450)';
