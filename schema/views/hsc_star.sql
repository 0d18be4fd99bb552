-- Stars by the names that users of the HSC-SSP database know.
CREATE VIEW hsc_star AS
SELECT s.task_id                                  AS match_task_id,
       s.star_id                                  AS star_id,
       (CAST(s.tract AS bigint) << 42) + s.star_id AS object_id,
       s.tract                                    AS tract,
       s.filter                                   AS filter01,
       s.ra                                       AS ra,
       s.dec                                      AS dec,
       CAST(ROW(s.ra, s.dec) AS skycoord)         AS coord,
       s.flux_njy                                 AS psfflux_flux,
       CAST(njy_to_abmag(s.flux_njy) AS finite8)  AS psfflux_mag,
       s.n_visit                                  AS inputcount_value,
       NOT s.is_ambiguous                         AS isprimary
  FROM star AS s
 WHERE NOT EXISTS (SELECT 1 FROM task AS n
                    WHERE n.stage = 'match' AND n.status = 'done' AND n.tract = s.tract AND n.filter = s.filter
                      AND n.task_id > s.task_id);
COMMENT ON VIEW   hsc_star                   IS 'Stars of the newest match of each tract and filter, by the names of the HSC-SSP database';
COMMENT ON COLUMN hsc_star.match_task_id     IS '[-] {meta.id} match task: star.task_id';
COMMENT ON COLUMN hsc_star.star_id           IS '[-] {meta.id;src} star.star_id, unique in a match task';
COMMENT ON COLUMN hsc_star.object_id         IS '[-] {meta.id;src;meta.main} tract << 42 | star_id: an id as HSC-SSP has it, for tractSearch and tract_from_object_id, without a patch';
COMMENT ON COLUMN hsc_star.tract             IS '[-] {meta.id;pos} tract';
COMMENT ON COLUMN hsc_star.filter01          IS '[-] {meta.id;instr.filter} physical filter';
COMMENT ON COLUMN hsc_star.ra                IS '[deg] {pos.eq.ra;meta.main} mean right ascension of the detections, ICRS';
COMMENT ON COLUMN hsc_star.dec               IS '[deg] {pos.eq.dec;meta.main} mean declination, ICRS';
COMMENT ON COLUMN hsc_star.coord             IS '[deg] {pos.eq} ra and dec in one, for coneSearch and boxSearch';
COMMENT ON COLUMN hsc_star.psfflux_flux      IS '[nJy] {phot.flux.density} median calibrated flux';
COMMENT ON COLUMN hsc_star.psfflux_mag       IS '[mag] {phot.mag} AB magnitude of psfflux_flux';
COMMENT ON COLUMN hsc_star.inputcount_value  IS '[-] {meta.number} visits in which it was seen';
COMMENT ON COLUMN hsc_star.isprimary         IS '[-] {meta.code.qual} no other detection lies within the match radius';
