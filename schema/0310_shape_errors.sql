-- Errors of the adaptive moments, and what the error of the Gaussian flux is since then.
ALTER TABLE source ADD COLUMN ixx_pix2_err finite4;
ALTER TABLE source ADD COLUMN iyy_pix2_err finite4;
ALTER TABLE source ADD COLUMN ixy_pix2_err finite4;
COMMENT ON COLUMN source.ixx_pix2_err IS '[pix2] {stat.error;src.morph.param} one sigma of ixx_pix2; NULL with the flag shape_bad (hscPipe: base_SdssShape_xxErr | shape.sdss.err)';
COMMENT ON COLUMN source.iyy_pix2_err IS '[pix2] {stat.error;src.morph.param} one sigma of iyy_pix2; NULL with the flag shape_bad (hscPipe: base_SdssShape_yyErr | shape.sdss.err)';
COMMENT ON COLUMN source.ixy_pix2_err IS '[pix2] {stat.error;src.morph.param} one sigma of ixy_pix2; NULL with the flag shape_bad (hscPipe: base_SdssShape_xyErr | shape.sdss.err)';
COMMENT ON COLUMN source.gauss_flux_e_err IS '[electron] {stat.error;phot.count} one sigma of gauss_flux_e, that the moments are measured ones included (hscPipe: base_GaussianFlux_instFluxErr | flux.gaussian.err)';

-- runs that are put aside must fit when they come back
DO $$
DECLARE
    branch text;
BEGIN
    FOR branch IN SELECT c.oid::regclass::text
                    FROM pg_class AS c
                    JOIN pg_namespace AS n ON n.oid = c.relnamespace
                   WHERE n.nspname = 'archive' AND c.relname ~ '^source_r[0-9]+$' AND NOT c.relispartition LOOP
        EXECUTE format('ALTER TABLE %s ADD COLUMN ixx_pix2_err finite4, ADD COLUMN iyy_pix2_err finite4, '
                       'ADD COLUMN ixy_pix2_err finite4', branch);
    END LOOP;
END
$$;
