"""Frames on the grid of a patch: stars lie where the tract's WCS has them, masked pixels stay out, flux is kept."""

import numpy as np
import pytest

from hscdb.display.gather import CONDEMNED, Grid
from hscdb.image import mask as planes
from hscdb.sky.wcs import Wcs

RNG = np.random.default_rng(6)
SHAPE = (180, 150)
TRACT = Wcs((150.0, 2.0), (5000.0, 4000.0), np.diag([-0.2, 0.2]) / 3600.0)
BOX = (4900, 3900, 220, 260)  # x0, y0, width, height


def frame(turn_deg: float, at: tuple[float, float], scale: float = 0.16, flipped: bool = False) -> Wcs:
    """A frame's WCS: turned, with a distortion of half a pixel at its corners."""
    c, s = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    cd = np.array([[-c, s], [s, c]]) @ np.diag([-1.0 if flipped else 1.0, 1.0]) * scale / 3600.0
    a, b = np.zeros((3, 3)), np.zeros((3, 3))
    a[2, 0], a[1, 1], b[0, 2] = 6e-5, -3e-5, 4e-5
    return Wcs(at, (75.0, 90.0), cd, a, b)


FRAMES = (frame(0.0, (149.999, 2.0)), frame(33.0, (150.0, 2.001)), frame(170.0, (150.001, 1.999), flipped=True))
STARS = np.array([[4976.3, 3985.7], [5024.8, 3992.1], [4994.0, 4028.5]])  # pixels of the tract


def picture(wcs: Wcs, counts: float = 5e4) -> np.ndarray:
    """An empty sky with the stars as Gaussians of 3 pix."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    pixels = np.zeros(SHAPE)
    for at_x, at_y in np.transpose(wcs.sky_to_pixel(*TRACT.pixel_to_sky(*STARS.T))):
        pixels += counts / (18 * np.pi) * np.exp(-((x - at_x) ** 2 + (y - at_y) ** 2) / 18)
    return pixels.astype(np.float32)


def stamp(pixels: np.ndarray, star: np.ndarray) -> tuple[float, float, float]:
    """Flux of a star in a gathered image, and how far its center lies from where the tract has it [pix]."""
    i, j = round(float(star[0])) - BOX[0], round(float(star[1])) - BOX[1]
    part = pixels[j - 15 : j + 16, i - 15 : i + 16].astype(float)
    y, x = np.mgrid[-15:16, -15:16]
    x0, y0 = star[0] - BOX[0] - i, star[1] - BOX[1] - j
    return part.sum(), (part * x).sum() / part.sum() - x0, (part * y).sum() / part.sum() - y0


@pytest.mark.parametrize("which", [(0,), (1,), (2,), (0, 1, 2)])
def test_a_star_is_where_the_tract_has_it_with_its_flux(which: tuple[int, ...]) -> None:
    grid = Grid(TRACT, *BOX)
    for number in which:
        # the zero points differ, the light does not
        assert grid.add(picture(FRAMES[number], 5e4 * (number + 1)), np.zeros(SHAPE, np.int32), FRAMES[number],
                        2.0 / (number + 1)) > 0  # fmt: skip
    found = grid.mean()
    for star in STARS:
        flux, dx, dy = stamp(found, star)
        assert abs(dx) < 0.02
        assert abs(dy) < 0.02
        assert flux == pytest.approx(1e5, rel=3e-3)


def test_a_patch_may_lie_across_ra_0() -> None:
    def moved(wcs: Wcs) -> Wcs:
        return Wcs(((wcs.crval[0] - 150.0) % 360.0, wcs.crval[1]), wcs.crpix, wcs.cd, wcs.a, wcs.b)

    grids = Grid(TRACT, *BOX), Grid(moved(TRACT), *BOX)
    for one in FRAMES:
        for grid, wcs in zip(grids, (one, moved(one)), strict=True):
            grid.add(picture(one), np.zeros(SHAPE, np.int32), wcs, 1.0)
    np.testing.assert_allclose(grids[0].mean(), grids[1].mean(), rtol=1e-4, atol=1e-3)
    assert np.isfinite(grids[1].mean()).sum() > 20_000


def test_a_pixel_is_masked_only_where_no_frame_has_a_good_one() -> None:
    level = np.full(SHAPE, 7.0, np.float32)
    hit, dead = level.copy(), np.zeros(SHAPE, np.int32)
    hit[80:100, 60:90] = 1e6
    dead[80:100, 60:90] = planes.CR | planes.DETECTED
    grid = Grid(TRACT, *BOX)
    ratio = (0.2 / 0.16) ** 2
    grid.add(hit, dead, FRAMES[0], 1.0)
    i, j = (round(float(each)) for each in TRACT.sky_to_pixel(*FRAMES[0].pixel_to_sky(75.0, 90.0)))
    at = j - BOX[1], i - BOX[0]
    assert grid.mean()[at] == pytest.approx(1e6 * ratio, rel=0.01)  # there is nothing better
    assert grid.words[at] == planes.CR | planes.DETECTED
    grid.add(level, np.full(SHAPE, planes.SUSPECT, np.int32), FRAMES[1], 1.0)
    assert grid.mean()[at] == pytest.approx(7.0 * ratio, rel=0.01)
    assert grid.words[at] == planes.SUSPECT
    before = grid.mean()[at]
    grid.add(hit, dead, FRAMES[0], 1.0)  # comes too late
    assert grid.mean()[at] == pytest.approx(before, rel=1e-4)
    assert grid.words[at] == planes.SUSPECT
    assert not CONDEMNED & (planes.DETECTED | planes.SUSPECT | planes.EDGE)


def test_what_no_frame_reaches_or_has_no_data_is_no_number() -> None:
    grid = Grid(TRACT, *BOX)
    mask = np.zeros(SHAPE, np.int32)
    mask[:, :75] = planes.NO_DATA
    pixels = np.ones(SHAPE, np.float32)
    pixels[100:, :] = np.nan
    grid.add(pixels, mask, FRAMES[0], 1.0)
    x, y = FRAMES[0].sky_to_pixel(*TRACT.pixel_to_sky(*np.meshgrid(BOX[0] + np.arange(220), BOX[1] + np.arange(260))))
    is_there = (x > 76) & (x < 149) & (y > 0) & (y < 98)
    is_lost = (x < 73) | (x > 150) | (y < -1) | (y > 101)
    assert np.isfinite(grid.mean()[is_there]).all()
    assert np.isnan(grid.mean()[is_lost]).all()
    assert is_there.sum() > 3000


def test_a_frame_elsewhere_adds_nothing() -> None:
    grid = Grid(TRACT, *BOX)
    assert grid.add(np.ones(SHAPE, np.float32), np.zeros(SHAPE, np.int32), frame(0.0, (151.0, 2.0)), 1.0) == 0
    assert np.isnan(grid.mean()).all()
