"""Tracts, patches, rings and bounding circles against published numbers and against single points."""

import csv
from pathlib import Path

import numpy as np
import pytest

from hscdb.errors import DataError
from hscdb.sky import sphere
from hscdb.sky.hull import bounding_circle, convex_hull
from hscdb.sky.rings import Rings
from hscdb.sky.tract import Layout, Tract

VECTORS = list(csv.DictReader((Path(__file__).parent / "rings_vectors.csv").read_text().splitlines()))


@pytest.mark.parametrize("row", VECTORS, ids=[row["name"] for row in VECTORS])
def test_a_place_has_its_published_tract_and_patch(row: dict[str, str]) -> None:
    ra, dec = float(row["ra_deg"]), float(row["dec_deg"])
    new, old = Rings(), Rings(version=0)
    number = int(new.find(ra, dec))
    assert number == int(row["tract_v1"])
    assert int(old.find(ra, dec)) == int(row["tract_v0"])
    assert number in new.near(ra, dec)
    tract = new.tract(number)
    assert (tract.ra, tract.dec) == pytest.approx((float(row["tract_ra_deg"]), float(row["tract_dec_deg"])), abs=1e-9)
    assert (tract.n_patch_x, tract.n_patch_y) == (int(row["num_patches_x"]), int(row["num_patches_y"]))
    x, y = tract.wcs.sky_to_pixel(ra, dec)
    assert (x, y) == pytest.approx((float(row["tract_x_pix"]), float(row["tract_y_pix"])), abs=2e-4)
    assert bool(tract.contains(ra, dec)) == (row["inside_tract"] == "1")
    column, line = (int(index) for index in tract.find_patch(ra, dec))
    assert (column, line) == (int(row["patch_x"]), int(row["patch_y"]))
    assert tract.n_patch_x * line + column == int(row["patch_sequential"])


def test_rings_have_the_published_counts_and_centers() -> None:
    new, old = Rings(), Rings(version=0)
    assert new.n_tract == 18938
    assert new.counts[[0, 1, 2, 3, 4, 59, 60]].tolist() == [10, 16, 22, 29, 35, 243, 243]
    for rings in (new, old):
        assert rings.center(9813) == pytest.approx((150.2479338842975, 2.2314049586776834), abs=1e-12)
        assert rings.center(0) == (0.0, -90.0)
        assert rings.center(18937) == (0.0, 90.0)
    assert old.center(9712) == pytest.approx((0.0, 0.7438016528925696), abs=1e-12)
    assert new.center(9469) == pytest.approx((0.0, 0.7438016528925696), abs=1e-12)
    assert old.center(11) == pytest.approx((0.0, old.center(1)[1]))  # n_0 = 10: one tract too many on the first ring
    with pytest.raises(ValueError, match="18938"):
        new.center(18938)


@pytest.mark.parametrize("version", [0, 1])
def test_the_tract_at_a_center_is_its_own(version: int) -> None:
    rings = Rings(version=version)
    numbers = np.random.default_rng(1).integers(12, rings.n_tract - 20, 300)
    center = np.array([rings.center(int(number)) for number in numbers])
    np.testing.assert_array_equal(rings.find(center[:, 0], center[:, 1]), numbers)


def test_near_tracts_are_all_that_hold_a_place() -> None:
    rings = Rings(n_ring=20, layout=Layout(10.0, tract_overlap_deg=0.3))
    tracts = [rings.tract(number) for number in range(rings.n_tract)]
    rng = np.random.default_rng(2)
    for ra, dec in zip(rng.uniform(0, 360, 100), np.degrees(np.arcsin(rng.uniform(-1, 1, 100))), strict=True):
        holding = {tract.tract for tract in tracts if tract.contains(ra, dec)}
        assert holding <= set(rings.near(ra, dec))
        assert int(rings.find(ra, dec)) in holding


def test_a_tract_of_the_rings_has_the_geometry_of_hsc_ssp() -> None:
    tract = Rings().tract(9813)
    assert (tract.width, tract.height, tract.crpix) == (36000, 36000, (17999.0, 17999.0))
    patch = tract.patches()[9 * 4 + 5]
    assert patch.tolist() == (5, 4, 41, 20000, 16000, 23999, 19999, 19900, 15900, 24099, 20099)
    first, last = tract.patches()[0], tract.patches()[-1]
    assert (first["outer_x0_pix"], first["outer_x1_pix"]) == (0, 4099)
    assert (last["outer_x0_pix"], last["outer_x1_pix"]) == (31900, 35999)


def test_a_published_discrete_tract_is_reproduced() -> None:
    tract = Tract.around(0, 175.771, 58.429, 1.0, Layout())
    assert (tract.n_patch_x, tract.n_patch_y, tract.width) == (11, 11, 44000)
    expected = [(177.676, 57.388), (173.867, 57.388), (173.752, 59.440), (177.790, 59.440)]
    np.testing.assert_allclose(np.transpose(tract.corners()), expected, atol=1.1e-3)


@pytest.mark.parametrize(("n_patch", "radius"), [(9, 0.8399), (10, 0.9333), (11, 1.0266), (31, 2.8909)])
def test_a_number_of_patches_holds_a_radius(n_patch: int, radius: float) -> None:
    assert Tract.around(0, 150.0, 2.0, radius - 2e-4, Layout()).n_patch_x == n_patch
    assert Tract.around(0, 150.0, 2.0, radius + 2e-4, Layout()).n_patch_x == n_patch + 1


def test_a_tract_of_too_many_patches_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        Tract.around(0, 150.0, 2.0, 3.1, Layout())
    assert caught.value.code == "too_large"


def test_the_circle_is_about_the_center_of_mass_and_holds_all() -> None:
    # A box in the tangent plane with many more points on one side: their mean would lie off the middle.
    rng = np.random.default_rng(3)
    for center in ((150.0, 2.0), (0.01, -60.0), (77.0, 89.9)):
        xi = np.concatenate([[-0.6, 0.6, 0.6, -0.6], rng.uniform(0.5, 0.6, 300)])
        eta = np.concatenate([[-0.4, -0.4, 0.4, 0.4], rng.uniform(0.3, 0.4, 300)])
        ra, dec = sphere.deproject(xi, eta, *center)
        center_ra, center_dec, radius = bounding_circle(ra, dec)
        assert sphere.separation(center_ra, center_dec, *center) < 1e-9
        assert radius == pytest.approx(np.degrees(np.arctan(np.radians(np.hypot(0.6, 0.4)))), abs=1e-9)
        assert len(convex_hull(ra, dec)) == 4


def test_the_center_of_a_triangle_is_its_center_of_mass() -> None:
    # Against an integral over the triangle, which is large enough for the plane's centroid to differ.
    ra, dec = np.array([10.0, 60.0, 20.0]), np.array([-20.0, 5.0, 50.0])
    weight = np.random.default_rng(4).dirichlet((1.0, 1.0, 1.0), 400000)
    inside = weight @ sphere.unit_vector(ra, dec)
    # A flat triangle spread over the sphere: solid angle per area is (distance of its plane) / |v|^3.
    length = np.linalg.norm(inside, axis=1)
    mean = (inside / length[:, None] * (length**-3)[:, None]).sum(axis=0)
    found = bounding_circle(ra, dec)
    assert sphere.separation(found[0], found[1], *sphere.from_vector(mean)) < 0.1
    assert sphere.separation(found[0], found[1], *sphere.mean_position(ra, dec)) > 0.5


def test_frames_that_make_no_circle_are_refused() -> None:
    with pytest.raises(DataError) as caught:
        bounding_circle([0.0, 90.0, 180.0, 270.0], [-1.0, 10.0, -1.0, 10.0])
    assert caught.value.code == "not_hemispherical"
    with pytest.raises(DataError) as caught:
        bounding_circle([10.0, 10.0, 10.0], [0.0, 1.0, 2.0])
    assert caught.value.code == "too_few_corners"


def test_a_frame_touches_the_patches_that_points_of_it_fall_on() -> None:
    tract = Tract.around(0, 150.0, 2.0, 0.3, Layout(patch_inner_pix=1000, patch_border_pix=50))
    rng = np.random.default_rng(5)
    n = 40
    turn = rng.uniform(0, 2 * np.pi, n)
    x0, y0 = rng.uniform(-2000, tract.width + 2000, (2, n))
    corner = np.array([(-600, -200), (600, -200), (600, 200), (-600, 200)])
    grid = np.stack(np.meshgrid(np.linspace(-600, 600, 121), np.linspace(-200, 200, 81)), axis=-1).reshape(-1, 2)

    def turned(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        cos, sin = np.cos(turn)[:, None], np.sin(turn)[:, None]
        return x0[:, None] + cos * points[:, 0] - sin * points[:, 1], y0[:, None] + sin * points[:, 0] + cos * points[
            :, 1
        ]

    frame, patch = tract.touching(*tract.wcs.pixel_to_sky(*turned(corner)))
    found = set(zip(frame.tolist(), patch.tolist(), strict=True))
    box = tract.patches()
    x, y = turned(grid)
    wanted, margin = set(), set()
    for index in range(len(box)):
        # The grid is 10 pix wide: a patch may be touched by less than that.
        for grow, into in ((0.5, wanted), (10.5, margin)):
            hit = (x >= box["outer_x0_pix"][index] - grow) & (x <= box["outer_x1_pix"][index] + grow)
            hit &= (y >= box["outer_y0_pix"][index] - grow) & (y <= box["outer_y1_pix"][index] + grow)
            into.update((int(one), index) for one in np.nonzero(hit.any(axis=1))[0])
    assert wanted <= found <= margin
    assert len(wanted) > 50


def test_a_frame_behind_the_tangent_plane_touches_nothing() -> None:
    tract = Tract.around(0, 150.0, 2.0, 0.3, Layout())
    frame, _ = tract.touching(np.array([[330.0, 331.0, 331.0, 330.0]]), np.array([[-2.0, -2.0, -1.0, -1.0]]))
    assert len(frame) == 0
    assert not tract.contains(330.0, -2.0)
