"""Figures that hscPipe's mosaic gave for HSC's geometry, and a made sky without noise that must come back."""

import numpy as np
import pytest
from joint_world import build, star_rows

from hscdb.camera import focalplane
from hscdb.camera.load import load
from hscdb.mosaic import ccdterms, fluxdesign, frames, gather, solve, spread
from hscdb.mosaic.places import Options
from hscdb.sky import sphere

# ccd: quarter turns, residual yaw [deg], centre in the focal plane, places of turned pixels (0, 0) and (100, 100) [pix]
FACTS = {
    49: (0, 0.0073295, (0.28, -1925.76), (-1023.22, -4013.26), (-923.2328, -3913.2472)),
    102: (1, 0.0296679, (-9591.84, -14290.21), (-11679.34, -15313.71), (-11579.3918, -15213.6582)),
    29: (2, -0.0075553, (6368.58, 15753.83), (5345.08, 13666.33), (5445.0932, 13766.3168)),
    100: (3, -0.0112589, (9588.26, -14289.16), (7500.76, -15312.66), (7600.7796, -15212.6797)),
}


@pytest.mark.parametrize("ccd", FACTS)
def test_turned_pixels_lie_in_the_focal_plane_where_mosaic_had_them(ccd: int) -> None:
    chip = load("hsc").ccds[ccd]
    n_quarter, yaw, centre, zero, hundred = FACTS[ccd]
    assert chip.n_quarter % 4 == n_quarter
    assert (chip.yaw_deg - 90.0 * chip.n_quarter + 180.0) % 360.0 - 180.0 == pytest.approx(yaw, abs=1e-7)
    assert (chip.u_pix, chip.v_pix) == pytest.approx(centre, abs=5e-3)
    turned_center = frames.rotated(chip, chip.center_x_pix, chip.center_y_pix)
    assert turned_center == ((1023.5, 2087.5) if n_quarter % 2 == 0 else (2087.5, 1023.5))
    # mosaic turns by the residual yaw about turned pixel (0, 0); we by all of it about the CCD's centre
    angle = np.radians(yaw)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    start = np.subtract(centre, turned_center)
    for pixel, place in (((0.0, 0.0), zero), ((100.0, 100.0), hundred)):
        np.testing.assert_allclose(start + turn @ pixel, place, atol=1e-4)
    # steps between pixels are the same: a turned pixel back in the image, then to the focal plane
    ends = []
    for pixel in ((0.0, 0.0), (100.0, 100.0)):
        x, y = image_pixel(n_quarter, chip.width, chip.height, *pixel)
        ends.append(np.array(focalplane.pixel_to_focal(chip, np.array([x]), np.array([y])))[:, 0])
    np.testing.assert_allclose(ends[1] - ends[0], np.subtract(hundred, zero), atol=2e-4)


# ccd: P [mag], Jacobian and their product at the CCD's centre, of visit 11506 in tract 8766
SCALES = {49: (0.00059, 0.99835, 0.9978), 50: (-0.00171, 0.99780, 0.9994), 101: (-0.04727, 0.85404, 0.8920),
          102: (-0.03077, 0.85899, 0.8837)}  # fmt: skip


def jacobian(u: float, v: float) -> float:
    """Pixel area over that at the optical centre by the camera's description, the tangent plane's as mosaic has it."""
    camera, h = load("hsc"), 5.0

    def area(u: float, v: float) -> float:
        ends = focalplane.focal_to_field(
            camera, u + h * np.array([1.0, -1.0, 0.0, 0.0]), v + h * np.array([0.0, 0.0, 1.0, -1.0])
        )
        (x1, x2, x3, x4), (y1, y2, y3, y4) = ends
        return abs((x1 - x2) * (y3 - y4) - (x3 - x4) * (y1 - y2))

    return area(u, v) / area(0.0, 0.0)


@pytest.mark.parametrize("ccd", SCALES)
def test_the_pixel_area_and_the_factor_of_a_ccd_are_those_of_mosaics_files(ccd: int) -> None:
    chip, (magnitude, area, factor) = load("hsc").ccds[ccd], SCALES[ccd]
    found = jacobian(chip.u_pix, chip.v_pix)
    assert found == pytest.approx(area, abs=2e-3)  # the visit's own distortion is in theirs
    assert 10 ** (-0.4 * magnitude) * found == pytest.approx(factor, abs=2e-3)


@pytest.mark.parametrize(("radius", "area"), [(5e3, 0.989), (1e4, 0.957), (1.5e4, 0.897), (1.75e4, 0.852)])
def test_the_pixel_area_falls_from_the_axis_as_in_real_visits(radius: float, area: float) -> None:
    for angle in np.radians([0.0, 77.0, 200.0]):
        assert jacobian(radius * np.cos(angle), radius * np.sin(angle)) == pytest.approx(area, abs=2.5e-3)


def image_pixel(n_quarter: int, width: int, height: int, x: float, y: float) -> tuple[float, float]:
    return {0: (x, y), 1: (y, height - 1 - x), 2: (width - 1 - x, height - 1 - y), 3: (width - 1 - y, x)}[n_quarter]


def test_a_sky_without_noise_comes_back() -> None:
    """CCDs up to 5 pix and 1 mrad off at the edge of HSC, its distortion of the ninth degree, a warp of each visit:
    directions everywhere to 0.01 mas, CCDs but for what all have in common, and magnitudes."""
    world = build("hsc", (41, 49, 50, 57, 100, 102), per_ccd=100, noise_pix=1e-7, mag_noise=1e-7, first_mas=20.0,
                  shift_pix=3.9, turn=8e-4, ref_mas=1e-3, ref_fraction=0.9, n_visit=5, pm_mas=0.0)  # fmt: skip
    world.detections["err"] = 2e-4  # as given; there is none in the places
    seen, found, positions = star_rows(world)
    obs = gather.observations(seen, found, False)
    none = np.full(obs.stars.size, np.nan)
    mag = world.mag[obs.stars - 1]
    ref_mag = np.where(np.arange(mag.size) % 2, mag, none)
    refs = gather.references(obs.stars, positions, ref_mag, np.full(mag.size, 1e-6))
    settings = solve.Settings(
        3, Options(ref_floor_mas=0.0, ccd_prior_pix=5.0),
        fluxdesign.Options(order=3, visit_order=2, ref_floor_mag=0.0, floor_mag=0.0), False,
    )  # fmt: skip
    result = solve.solve(world.camera, solve.Given(obs, refs, found, gather.zero_points(seen, found)), settings)
    true = np.array([world.ccd_terms[int(c)] for c in obs.ccds])
    assert np.abs(true[:, :2]).max() > 4.0
    assert np.abs(true[:, 2]).max() > 9e-4
    worst = 0.0
    for one in frames.solved(result.where, found, obs, result.position, result.scale, result.areas, 3):
        x, y = np.meshgrid(np.linspace(0, one.ccd.width - 1, 5), np.linspace(0, one.ccd.height - 1, 5))
        truth = world.to_sky(one.visit, one.ccd.ccd, x.ravel(), y.ravel())
        worst = max(worst, float(sphere.separation(*one.wcs.pixel_to_sky(x.ravel(), y.ravel()), *truth).max() * 3.6e6))
    assert worst < 0.01
    chips = [world.camera.ccds[int(c)] for c in obs.ccds]
    off = (result.position.ccd_terms - true) * ccdterms.units(3)
    off = spread.relative(off, np.array([[c.u_pix, c.v_pix] for c in chips]), np.ones(len(chips), bool))
    assert np.abs(off[:, :2]).max() < 1e-3
    assert np.nanmax(np.abs(result.scale.star - mag)) < 2e-5
