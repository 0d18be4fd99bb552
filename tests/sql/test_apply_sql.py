"""apply's queries: which solution holds for a frame, and its sources."""

from json import dumps

import numpy as np
import pytest
from joint_tables import bare, bulk, load, source_ids, task
from joint_world import FILTER, NJY, build
from sqlalchemy import text

from hscdb.db.queries import query

find_solution = query("apply/find_solution")
read_solutions = query("run/read_solutions")
find_left_out = query("apply/find_left_out")
read_sources = query("apply/read_sources")
read_solved_frames = query("run/read_solved_frames")

VISIT, CCD = 1002, 1


@pytest.fixture
def world():
    return build(n_visit=2, per_ccd=6, seed=5)


def solve(connection, run_id, world, *, tract=0, status="solved", zero=30.0, frames=None, left_out=None):
    """A joint solution whose numbers are told by `zero`; returns its task."""
    done = task(connection, run_id, "mosaic", tract=tract, filter=FILTER)
    for visit, ccd in world.frames if frames is None else frames:
        where = {"run_id": run_id, "task_id": [done], "stage": "mosaic", "visit": visit, "ccd": ccd, "tract": tract}
        bulk(connection, "wcs_solution", **where, status=status, crval1_deg=zero, crval2_deg=1.0, crpix1_pix=2.0,
             crpix2_pix=3.0, cd1_1_deg=4.0, cd1_2_deg=5.0, cd2_1_deg=6.0, cd2_2_deg=7.0, sip_order=1,
             sip_a=[[0.0, 1.0, 2.0]], sip_b=[[3.0, 4.0, 5.0]], corner_ra=[[0.0] * 4], corner_dec=[[0.0] * 4], ra=8.0,
             dec=9.0, radius_deg=0.1, n_star=5, rms_mas=1.5)  # fmt: skip
        bulk(connection, "flux_scale", **where, status=status, flux_mag0_e=10 ** (0.4 * zero), flux_mag0_e_err=1.0,
             poly_order=1, poly_mag=[[0.0, 1e-6, 2e-6]], x0_pix=11.0, y0_pix=12.0, has_jacobian=True,
             jacobian_area_deg2=1e-9, n_star=5)  # fmt: skip
    model = dumps({"left_out_visits": left_out or {}})
    connection.execute(
        text("INSERT INTO mosaic_solution VALUES "
             "(:r, :k, :t, :f, true, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, "
             "CAST(:m AS jsonb))"),
        {"r": run_id, "k": done, "t": tract, "f": FILTER, "m": model},
    )  # fmt: skip
    return done


def both(connection, run_id, tract=0, visit=VISIT, ccd=CCD):
    """WCS and flux scale that hold, as dictionaries; None where there is none."""
    frame = {"visit": visit, "ccd": ccd}
    found = find_solution.one(connection, run_id=run_id, tract=tract, **frame)
    if found is None:
        return None, None
    facts = {name: found[name] for name in ("has_joint", "is_catalog")}
    tasks = {name: int(found[name]) for name in ("wcs_task_id", "scale_task_id")}
    row = read_solutions.one(connection, **tasks, **frame)
    if row is None:
        assert tasks["scale_task_id"] == 0
        return facts, None
    columns = {name: row[name] for name in row.dtype.names}
    return (facts | columns | {"stage": row["wcs_stage"], "status": row["wcs_status"]},
            columns | {"stage": row["scale_stage"], "status": row["scale_status"]})  # fmt: skip


def test_the_joint_solution_holds_before_the_first_calibration(connection, world):
    run_id = bare(connection, world)
    load(connection, world, run_id)
    wcs, scale = both(connection, run_id)
    assert (wcs["stage"], wcs["has_joint"], wcs["is_catalog"], scale["stage"]) == (
        "calibrate",
        False,
        False,
        "calibrate",
    )
    assert wcs["crval1_deg"] == world.wcs[VISIT, CCD].crval[0]
    assert list(wcs["sip_a"]) == world.wcs[VISIT, CCD].sip_a()
    assert scale["flux_mag0_e"] == world.mag0[VISIT, CCD]
    solve(connection, run_id, world)
    wcs, scale = both(connection, run_id)
    assert (wcs["stage"], wcs["has_joint"], scale["stage"]) == ("mosaic", True, "mosaic")
    assert [wcs[f"{name}_deg"] for name in ("crval1", "cd1_1", "cd1_2", "cd2_1", "cd2_2")] == [30.0, 4.0, 5.0, 6.0, 7.0]
    assert (list(wcs["sip_a"]), list(wcs["sip_b"])) == ([0.0, 1.0, 2.0], [3.0, 4.0, 5.0])
    assert (scale["flux_mag0_e"], list(scale["poly_mag"])) == (10**12, [0.0, 1e-6, 2e-6])
    assert (scale["x0_pix"], scale["y0_pix"], scale["has_jacobian"]) == (11.0, 12.0, True)


def test_of_a_rejected_solution_the_first_calibration_holds(connection, world):
    run_id = bare(connection, world)
    load(connection, world, run_id)
    solve(connection, run_id, world, status="rejected")
    wcs, scale = both(connection, run_id)
    assert (wcs["stage"], wcs["has_joint"], scale["stage"]) == ("calibrate", True, "calibrate")


def test_positions_and_fluxes_are_rejected_apart(connection, world):
    run_id = bare(connection, world)
    load(connection, world, run_id)
    done = solve(connection, run_id, world)
    connection.execute(text("UPDATE flux_scale SET status = 'rejected' WHERE task_id = :t"), {"t": done})
    wcs, scale = both(connection, run_id)
    assert (wcs["stage"], scale["stage"]) == ("mosaic", "calibrate")


def test_an_extrapolated_solution_holds(connection, world):
    run_id = bare(connection, world)
    load(connection, world, run_id)
    solve(connection, run_id, world, status="extrapolated")
    wcs, scale = both(connection, run_id)
    assert (wcs["stage"], wcs["status"], scale["status"]) == ("mosaic", "extrapolated", "extrapolated")


def test_the_solution_of_another_tract_does_not_hold(connection, world):
    run_id = bare(connection, world)
    load(connection, world, run_id)
    solve(connection, run_id, world, tract=7)
    assert both(connection, run_id)[0]["stage"] == "calibrate"
    assert not both(connection, run_id)[0]["has_joint"]
    assert both(connection, run_id, tract=7)[0]["stage"] == "mosaic"


def test_the_nearest_run_of_the_chain_has_its_say(connection, world):
    parent = bare(connection, world)
    load(connection, world, parent)
    solve(connection, parent, world, zero=30.0)
    child = bare(connection, world, name="child", parent=parent)
    assert both(connection, child)[0]["crval1_deg"] == 30.0
    new = solve(connection, child, world, zero=31.0)
    assert both(connection, child)[0]["crval1_deg"] == 31.0
    assert both(connection, child)[1]["flux_mag0_e"] == pytest.approx(10 ** (0.4 * 31.0))
    assert both(connection, parent)[0]["crval1_deg"] == 30.0
    # one that has not come to its end, or failed, hides nothing
    connection.execute(text("UPDATE task SET status = 'failed', reason = 'x' WHERE task_id = :t"), {"t": new})
    assert both(connection, child)[0]["crval1_deg"] == 30.0


def test_a_child_that_rejects_goes_back_to_the_first_calibration_not_to_its_parent(connection, world):
    parent = bare(connection, world)
    load(connection, world, parent)
    solve(connection, parent, world)
    child = bare(connection, world, name="child", parent=parent)
    solve(connection, child, world, status="rejected")
    assert both(connection, child)[0]["stage"] == "calibrate"


def test_a_frame_nobody_has_calibrated_has_nothing(connection, world):
    run_id = bare(connection, world)
    load(connection, world, run_id)
    assert both(connection, run_id, visit=1) == (None, None)
    connection.execute(text("DELETE FROM flux_scale WHERE ccd = 1"))
    wcs, scale = both(connection, run_id)
    assert wcs is not None
    assert scale is None


def test_why_a_visit_was_left_out(connection, world):
    run_id = bare(connection, world)
    load(connection, world, run_id)
    solve(
        connection, run_id, world, frames=[f for f in world.frames if f[0] != VISIT], left_out={str(VISIT): "is alone"}
    )
    assert find_left_out.one(connection, run_id=run_id, tract=0, visit=VISIT)["why"] == "is alone"
    assert find_left_out.one(connection, run_id=run_id, tract=0, visit=1000) is None
    assert find_left_out.one(connection, run_id=run_id, tract=1, visit=VISIT) is None


def test_the_units_are_the_frames_solved_and_those_left_out(connection, world):
    run_id = bare(connection, world)
    load(connection, world, run_id)
    solved = [f for f in world.frames if f[0] != VISIT]
    solve(connection, run_id, world, frames=solved, left_out={str(VISIT): "is alone"})

    def units(**asked):
        everything = {"ids": [{}], "where_visits": None, "where_ccds": None}
        found = read_solved_frames(connection, run_id=run_id, **everything | asked)
        return [(int(row["tract"]), int(row["visit"]), int(row["ccd"])) for row in found]

    assert units() == [(0, *frame) for frame in sorted(world.frames)]
    # a frame of it that was never calibrated is calibrate's to explain
    connection.execute(
        text("UPDATE task SET status = 'failed', reason = 'x' WHERE stage = 'calibrate' AND visit = :v AND ccd = 3"),
        {"v": VISIT},
    )
    assert (0, VISIT, 3) not in units()
    assert len(units()) == 7


@pytest.mark.parametrize(("ra", "dec"), [(150.0, 2.0), (0.0, 0.0), (10.0, 89.99)])
@pytest.mark.parametrize("kind", ["image", "catalog", "bare catalog"])
def test_sources_of_a_frame_with_what_is_known_of_them(connection, ra, dec, kind):
    world = build(n_visit=2, per_ccd=6, seed=5, ra=ra, dec=dec)
    world.is_catalog, world.extra["no_counts"] = kind != "image", kind == "bare catalog"
    world.detections["err"][::2] = np.nan
    world.detections["flux"][::3] = np.nan
    run_id = bare(connection, world)
    load(connection, world, run_id)
    found = read_sources(connection, run_id=run_id, visit=VISIT, ccd=CCD)
    d, ids = world.detections, source_ids(world)
    k = np.flatnonzero((d["visit"] == VISIT) & (d["ccd"] == CCD))
    k = k[np.argsort(ids[k])]
    d = d[k]
    assert np.array_equal(found["source_id"], ids[k])
    assert len(found) >= 2
    assert np.array_equal(found["x_pix"], d["x"])
    single = np.float32
    assert np.array_equal(found["x_pix_err"], d["err"].astype(single), equal_nan=True)
    flux = d["flux"].astype(single) if kind != "bare catalog" else np.full(len(d), np.nan)
    assert np.array_equal(found["aper_flux_e"], flux, equal_nan=True)
    assert np.array_equal(found["flux_njy"], (d["flux"] * NJY / d["first_mag0"]).astype(single), equal_nan=True)
    assert (found["first_mag0_e"] == world.mag0[VISIT, CCD]).all()


def test_sources_without_a_first_flux_scale_are_there(connection, world):
    world.mag0[VISIT, CCD] = np.nan
    run_id = bare(connection, world)
    load(connection, world, run_id)
    found = read_sources(connection, run_id=run_id, visit=VISIT, ccd=CCD)
    assert len(found) == ((world.detections["visit"] == VISIT) & (world.detections["ccd"] == CCD)).sum()
    assert np.isnan(found["first_mag0_e"]).all()


def test_sources_come_from_the_chain_and_only_once(connection, world):
    parent = bare(connection, world)
    load(connection, world, parent)
    child = bare(connection, world, name="child", parent=parent)
    first = read_sources(connection, run_id=parent, visit=VISIT, ccd=CCD)
    np.testing.assert_array_equal(read_sources(connection, run_id=child, visit=VISIT, ccd=CCD), first)
    world.detections["x"] += 1.0
    load(connection, world, child, is_first=False)
    found = read_sources(connection, run_id=child, visit=VISIT, ccd=CCD)
    assert np.array_equal(found["x_pix"], first["x_pix"] + 1.0)
    np.testing.assert_array_equal(read_sources(connection, run_id=parent, visit=VISIT, ccd=CCD), first)
    assert len(read_sources(connection, run_id=child, visit=VISIT, ccd=99)) == 0
