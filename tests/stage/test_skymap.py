"""skymap: maps, tracts, patches and links in the database, against the geometry of single points."""

import logging
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection, text

from hscdb.errors import ConfigError, DataError
from hscdb.run.stage import Work
from hscdb.sky.tract import Layout, Tract
from hscdb.sky.wcs import Wcs
from hscdb.skymap.stage import Config, run

SCALE = 0.168 / 3600.0


def add_run(connection: Connection, name: str) -> int:
    statement = (
        "INSERT INTO run (name, settings, settings_sha256, code_version) VALUES (:name, '{}', '', '') RETURNING run_id"
    )
    return connection.execute(text(statement), {"name": name}).scalar_one()


def add_task(connection: Connection, run_id: int, stage: str, data_id: str, status: str = "done") -> int:
    statement = (
        "INSERT INTO task (run_id, stage, data_id, status) VALUES (:run_id, :stage, :data_id, :status)"
        " RETURNING task_id"
    )
    words = {"run_id": run_id, "stage": stage, "data_id": data_id, "status": status}
    return connection.execute(text(statement), words).scalar_one()


def add_frame(connection: Connection, run_id: int, visit: int, ccd: int, ra: float, dec: float) -> None:
    """A frame of 2048 x 4176 pixels around a place."""
    wcs = Wcs((ra, dec), (1023.5, 2087.5), [[-SCALE, 0.0], [0.0, SCALE]])
    corner_ra, corner_dec = wcs.corners(2048, 4176)
    task_id = add_task(connection, run_id, "calibrate", f"visit={visit} ccd={ccd}")
    statement = """
        INSERT INTO wcs_solution (run_id, task_id, stage, visit, ccd, status, crval1_deg, crval2_deg, crpix1_pix,
            crpix2_pix, cd1_1_deg, cd1_2_deg, cd2_1_deg, cd2_2_deg, sip_order, sip_a, sip_b, corner_ra, corner_dec,
            ra, dec, radius_deg, n_star)
        VALUES (:run_id, :task_id, 'calibrate', :visit, :ccd, 'solved', :ra, :dec, 1023.5, 2087.5, -1, 0, 0, 1, 0,
            '{0}', '{0}', :corner_ra, :corner_dec, :ra, :dec, 0.11, 9)"""
    words: dict[str, Any] = {"run_id": run_id, "task_id": task_id, "visit": visit, "ccd": ccd, "ra": ra, "dec": dec}
    connection.execute(text(statement), words | {"corner_ra": corner_ra.tolist(), "corner_dec": corner_dec.tolist()})


def work(connection: Connection, run_id: int, **options: Any) -> Work:
    task_id = connection.execute(text("SELECT task_id FROM task WHERE stage = 'skymap' AND run_id = :r"), {"r": run_id})
    number = task_id.scalar() or add_task(connection, run_id, "skymap", "repository", "running")
    connection.execute(text("DELETE FROM frame_tract WHERE task_id = :t"), {"t": number})
    connection.execute(text("DELETE FROM frame_patch WHERE task_id = :t"), {"t": number})
    camera: Any = SimpleNamespace(pixel_scale_arcsec=0.168)
    files: Any = None
    return Work(connection, run_id, number, {}, camera, files, None, options=options)  # type: ignore[arg-type]


def rows(connection: Connection, statement: str) -> list[Any]:
    return list(connection.execute(text(statement)).all())


def test_a_discrete_map_holds_all_frames_in_one_tract(connection: Connection, caplog: pytest.LogCaptureFixture) -> None:
    run_id = add_run(connection, "first")
    for ccd, (ra, dec) in enumerate([(150.0, 2.0), (150.3, 2.1), (149.8, 2.4)]):
        add_frame(connection, run_id, 1000, ccd, ra, dec)
    with caplog.at_level(logging.INFO, logger="hscdb"):
        funnel = run(work(connection, run_id), Config())
    ((name, ra, dec, radius, n_x, n_y, width),) = rows(
        connection, "SELECT skymap, ra, dec, radius_deg, n_patch_x, n_patch_y, width_pix FROM tract"
    )
    assert name == "discrete_first"
    assert (width, n_x) == (4000 * n_x, n_y)
    assert funnel == {
        "n_frame": 3,
        "n_tract": 1,
        "n_patch": n_x * n_y,
        "n_frame_tract": 3,
        "n_frame_patch": funnel["n_frame_patch"],
    }
    tract = Tract.around(0, ra, dec, radius, Layout())
    corners = ", ".join(f"({a:.3f}, {d:.3f})" for a, d in zip(*tract.corners(), strict=True))
    assert caplog.messages == [
        "Extracting bounding boxes of 3 images",
        "Computing spherical convex hull",
        f"tract 0 has corners {corners} (RA, Dec deg) and {n_x} x {n_y} patches",
    ]
    # The patch under the center of each frame is linked to it.
    linked = set(rows(connection, "SELECT ccd, patch_x, patch_y FROM frame_patch"))
    for ccd, place in enumerate([(150.0, 2.0), (150.3, 2.1), (149.8, 2.4)]):
        patch = tract.find_patch(*place)
        assert (ccd, int(patch[0]), int(patch[1])) in linked


def test_a_discrete_map_grows_with_new_frames_and_only_in_its_own_run(connection: Connection) -> None:
    first, second = add_run(connection, "a"), add_run(connection, "b")
    for run_id in (first, second):
        add_frame(connection, run_id, 1000, 0, 0.02, -30.0)
        run(work(connection, run_id), Config())
    before = dict(rows(connection, "SELECT skymap, radius_deg FROM tract"))
    add_frame(connection, first, 1001, 0, 359.5, -30.2)
    assert run(work(connection, first), Config())["n_frame_tract"] == 2
    after = dict(rows(connection, "SELECT skymap, radius_deg FROM tract"))
    assert after["discrete_b"] == before["discrete_b"]
    assert after["discrete_a"] > before["discrete_a"] + 0.1
    assert after["discrete_a"] < 0.5  # across RA 0, not around the sky


def test_frames_of_a_parent_run_are_seen(connection: Connection) -> None:
    parent, child = add_run(connection, "parent"), add_run(connection, "child")
    connection.execute(text("UPDATE run SET parent_run_id = :p WHERE run_id = :c"), {"p": parent, "c": child})
    add_frame(connection, parent, 1000, 0, 10.0, 0.0)
    assert run(work(connection, child), Config())["n_frame"] == 1
    assert rows(connection, "SELECT skymap FROM skymap") == [("discrete_child",)]


def test_rings_take_whole_visits_and_mark_the_frames_inside(connection: Connection) -> None:
    run_id = add_run(connection, "wide")
    # Center of tract 9813, and a frame of the same visit far in the next tract; another visit only there.
    add_frame(connection, run_id, 1000, 0, 150.248, 2.231)
    add_frame(connection, run_id, 1000, 1, 151.735, 2.231)
    add_frame(connection, run_id, 1002, 1, 151.735, 2.231)
    funnel = run(work(connection, run_id, kind="rings"), Config())
    found = rows(connection, "SELECT tract, visit, ccd, is_corner_inside FROM frame_tract ORDER BY 1, 2, 3")
    assert found == [
        (9813, 1000, 0, True), (9813, 1000, 1, False),
        (9814, 1000, 0, False), (9814, 1000, 1, True), (9814, 1002, 1, True),
    ]  # fmt: skip
    assert funnel["n_patch"] == 2 * 81
    assert rows(connection, "SELECT count(*), min(outer_x0_pix), max(outer_x1_pix) FROM patch WHERE tract = 9813") == [
        (81, 0, 35999)
    ]
    assert rows(
        connection, "SELECT DISTINCT patch_x, patch_y FROM frame_patch WHERE tract = 9813 AND ccd = 0 ORDER BY 1, 2"
    ) == [(4, 3), (4, 4), (4, 5)]  # rows 15911 .. 20087; the borders reach 16099 and 19900
    # Once more, and by another run: tracts and patches are shared.
    assert run(work(connection, run_id, kind="rings"), Config()) == funnel
    other = add_run(connection, "other")
    add_frame(connection, other, 1000, 0, 150.248, 2.231)
    run(work(connection, other, kind="rings"), Config())
    assert rows(connection, "SELECT count(*) FROM patch") == [(162,)]


def test_one_name_has_one_geometry(connection: Connection) -> None:
    run_id = add_run(connection, "wide")
    add_frame(connection, run_id, 1000, 0, 150.248, 2.231)
    run(work(connection, run_id, kind="rings"), Config())
    with pytest.raises(ConfigError, match=r"n_ring 120.* \(now 60\)") as caught:
        run(work(connection, run_id, kind="rings"), Config(n_ring=60))
    assert caught.value.code == "other_skymap"


def test_nothing_calibrated_and_unknown_kinds_are_told(connection: Connection) -> None:
    run_id = add_run(connection, "empty")
    with pytest.raises(DataError) as caught:
        run(work(connection, run_id), Config())
    assert caught.value.code == "no_frames"
    with pytest.raises(ConfigError, match="healpix"):
        run(work(connection, run_id, kind="healpix"), Config())


def test_corners_of_stored_patches_are_those_of_their_pixels(connection: Connection) -> None:
    run_id = add_run(connection, "first")
    add_frame(connection, run_id, 1000, 0, 150.0, 89.0)
    run(work(connection, run_id), Config())
    stored = rows(
        connection,
        "SELECT t.ra, t.dec, t.crpix1_pix, t.crpix2_pix, p.outer_x0_pix, p.outer_y1_pix,"
        "       CAST(p.corner_ra[4] AS double precision), CAST(p.corner_dec[4] AS double precision)"
        "  FROM patch AS p JOIN tract AS t USING (skymap, tract)",
    )
    for ra, dec, x_center, y_center, x0, y1, corner_ra, corner_dec in stored:
        x, y = Wcs((ra, dec), (x_center, y_center), [[-SCALE, 0], [0, SCALE]]).sky_to_pixel(corner_ra, corner_dec)
        np.testing.assert_allclose([x, y], [x0 - 0.5, y1 + 0.5], atol=1e-6)
