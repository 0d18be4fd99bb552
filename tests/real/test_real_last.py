"""80 epochs and 5 coadds of a LAST telescope, by the commands of the README, judged by stars that no fit has seen.

A residual is a detection minus the mean of its star's detections, per axis, times sqrt(n / (n - 1)) for the degree of
freedom that the mean has taken; the scatter is 1.4826 times the median of its size. Ambiguous stars do not count.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psycopg
import pytest
from documented import DATA, commands, rows, run

from hscdb.fits.table import read_table

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not (DATA / "last").is_dir(), reason=f"no LAST catalogs in {DATA} (HSCDB_TESTDATA)"),
]

RESIDUALS = """
    SELECT r.star_id, r.visit, r.ccd, r.is_reserved, s.mag,
           r.ra_before_mas, r.dec_before_mas, r.mag_before_mmag, r.ra_after_mas, r.dec_after_mas, r.mag_after_mmag,
           r.position_mas_err, 1000 * r.mag_err
      FROM star_residual AS r
      JOIN star_solution AS s USING (task_id, star_id)
      JOIN run ON run.run_id = r.run_id
     WHERE run.name = %s AND COALESCE(r.reason_astrometry, '') <> 'ambiguous'
"""
NAMES = ("star", "visit", "ccd", "reserved", "mag", "ra_before", "dec_before", "mag_before", "ra", "dec", "mmag",
         "place_err", "mag_err")  # fmt: skip


@dataclass
class World:
    """A database in which the commands were run, and what they wrote."""

    dsn: str
    told: list[str]

    def residuals(self, name: str) -> dict[str, np.ndarray]:
        found = [np.array(column, dtype=object) for column in zip(*rows(self.dsn, RESIDUALS, name), strict=True)]
        table = {key: column.astype(np.float64) for key, column in zip(NAMES, found, strict=True)}
        n = np.bincount(table["star"].astype(np.int64))[table["star"].astype(np.int64)]
        lost = np.sqrt(n / np.maximum(n - 1.0, 1e-9))
        return {key: column * lost if key[:3] in ("ra", "ra_", "dec", "mag", "mma") and key not in ("mag", "mag_err")
                else column for key, column in table.items()} | {"n": n}  # fmt: skip


def scatter(table: dict[str, np.ndarray], name: str, keep: np.ndarray) -> float:
    column = table[name][keep & (table["n"] > 1) & np.isfinite(table[name])]
    return 1.4826 * float(np.median(np.abs(column)))


@pytest.fixture(scope="module")
def world(module_dsn: str, tmp_path_factory: pytest.TempPathFactory) -> World:
    folder: Path = tmp_path_factory.mktemp("last")
    return World(module_dsn, [run(block, folder, module_dsn) for block in commands("last")])


@pytest.fixture(scope="module")
def epochs(world: World) -> dict[str, np.ndarray]:
    return world.residuals("joint")


def test_positions_of_reserved_stars_repeat_to_27_mas_in_each_axis(epochs):
    bright = (epochs["mag"] >= 12.0) & (epochs["mag"] < 14.0) & (epochs["reserved"] == 1.0)
    assert np.unique(epochs["star"][bright]).size >= 8
    assert np.unique(epochs["visit"][bright]).size == 80
    for axis in ("ra", "dec"):
        assert scatter(epochs, f"{axis}_before", bright) > 40.0
        assert scatter(epochs, axis, bright) <= 27.0


def test_aperture_fluxes_repeat_to_4_5_mmag(epochs):
    bright = (epochs["mag"] >= 11.8) & (epochs["mag"] < 13.0)
    assert np.unique(epochs["star"][bright]).size >= 20
    assert scatter(epochs, "mag_before", bright) > 7.0
    assert scatter(epochs, "mmag", bright) <= 4.5


def test_errors_made_by_the_preset_are_those_of_faint_stars(epochs):
    for low in (15.5, 16.0, 16.5):
        faint = (epochs["mag"] >= low) & (epochs["mag"] < low + 0.5)
        assert scatter(epochs, "mmag", faint) / np.median(epochs["mag_err"][faint]) == pytest.approx(1.0, abs=0.15)
        air = 22.0  # mas, of 20 s
        place = np.sqrt(scatter(epochs, "ra", faint) ** 2 - air**2)
        assert place / np.median(epochs["place_err"][faint]) == pytest.approx(1.0, abs=0.25)


def test_the_frame_is_the_mean_of_the_catalogs(world):
    """No reference stars: stars stay where the catalogs have them on average, in place, turn and scale."""
    ((n, ra, dec, turn, scale),) = rows(world.dsn, """
        WITH off AS (
            SELECT (s.ra - t.ra) * cos(radians(t.dec)) * 3.6e6 AS east, (s.dec - t.dec) * 3.6e6 AS north,
                   (t.ra - avg(t.ra) OVER ()) * cos(radians(t.dec)) AS x, t.dec - avg(t.dec) OVER () AS y
              FROM star_solution AS s JOIN star AS t USING (star_id) JOIN run ON run.run_id = s.run_id
             WHERE run.name = 'joint' AND t.run_id = s.run_id AND t.n_visit > 60)
        SELECT count(*), avg(east), avg(north), regr_slope(north, x) - regr_slope(east, y),
               regr_slope(east, x) + regr_slope(north, y) FROM off""")  # fmt: skip
    assert n > 300
    # 30 mas per deg and axis are 9 mas at the edge of a field of 0.6 deg, of 50 that the catalogs scatter by
    assert max(abs(ra), abs(dec)) < 5.0
    assert max(abs(turn), abs(scale)) < 60.0


def test_the_epoch_that_lost_a_tenth_of_its_light_is_named(world):
    lost = world.told[2]
    worst = rows(world.dsn, """
        SELECT q.visit, q.figure, v.obs_start FROM qa_metric AS q JOIN visit AS v USING (visit) JOIN run USING (run_id)
         WHERE run.name = 'joint' AND q.metric = 'zero_point_offset' ORDER BY q.figure""")  # fmt: skip
    assert len(worst) == 80
    visit, figure, when = worst[0]
    assert str(when).startswith("2024-03-08")
    assert -140.0 < figure < -80.0
    assert worst[2][1] > -50.0  # the next one but its neighbor is far less
    assert str(visit) in lost
    assert f"visit {visit} has a zero point" in world.told[0]


def test_every_epoch_has_its_solution_and_every_source_its_place(world):
    assert rows(world.dsn, """
        SELECT count(*), count(*) FILTER (WHERE status = 'solved') FROM wcs_solution JOIN run USING (run_id)
         WHERE run.name = 'joint' AND stage = 'mosaic'""") == [(80, 80)]  # fmt: skip
    n_row = sum(len(read_table(path, 1, ["X"])) for path in sorted((DATA / "last" / "single").glob("*.fits"))[:3])
    visits = [visit for (visit,) in rows(world.dsn, "SELECT visit FROM visit ORDER BY visit LIMIT 3")]
    ((n, moved),) = rows(world.dsn, """
        SELECT count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY q3c_dist(c.ra, c.dec, s.ra, s.dec)) * 3.6e6
          FROM calibrated_source AS c JOIN source_sky AS s USING (visit, source_id) JOIN run ON run.run_id = c.run_id
         WHERE run.name = 'joint' AND visit = ANY (%s)""", visits)  # fmt: skip
    assert n == n_row
    assert 10.0 < moved < 300.0


def test_overlaps_tie_the_crops_of_a_visit_together(world):
    table = world.residuals("tied")
    index = {}
    for k, key in enumerate(zip(table["star"], table["visit"], strict=True)):
        if table["mag"][k] < 16.0:
            index.setdefault(key, []).append(k)
    first, second = np.array([ks[:2] for ks in index.values() if len(ks) > 1]).T
    assert len(first) > 50
    assert {tuple(sorted(pair)) for pair in zip(table["ccd"][first], table["ccd"][second], strict=True)} >= {
        (15.0, 16.0), (16.0, 17.0), (16.0, 22.0),
    }  # fmt: skip
    apart = {name: 1.4826 * float(np.median(np.abs(table[name][first] - table[name][second])))
             for name in ("ra_before", "dec_before", "mag_before", "ra", "dec", "mmag")}  # fmt: skip
    assert np.hypot(apart["ra"], apart["dec"]) < 0.7 * np.hypot(apart["ra_before"], apart["dec_before"])
    assert apart["mmag"] < min(5.0, apart["mag_before"])


def test_what_the_epochs_are_is_not_mixed_with_the_coadds(world):
    with psycopg.connect(world.dsn) as connection:
        counted = connection.execute(
            "SELECT run.name, s.n_visit, s.n_ccd FROM mosaic_solution AS s JOIN run USING (run_id) ORDER BY 1"
        ).fetchall()
    assert counted == [("joint", 80, 1), ("tied", 2, 4)]
