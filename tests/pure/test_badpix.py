"""Bad pixels found in darks and flats, sources hidden in sky frames, and the smoothing of fringes and skies."""

import numpy as np
import pytest

from hscdb.camera.model import Box
from hscdb.errors import DataError
from hscdb.image.mask import DETECTED
from hscdb.image.plane import Image
from hscdb.master import badpix, smooth, sources

SHAPE = (320, 256)


def painted(boxes: list[Box], shape: tuple[int, int] = SHAPE) -> np.ndarray:
    bad = np.zeros(shape, np.int64)
    for box in boxes:
        bad[box.slices] += 1
    return bad


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_boxes_cover_each_bad_pixel_once_and_no_other(part: float) -> None:
    rng = np.random.default_rng(7)
    for _ in range(30):
        bad = rng.random((9, 7)) < part
        np.testing.assert_array_equal(painted(badpix.boxes(bad), bad.shape), bad)


def test_dead_columns_and_amplifiers_are_few_boxes() -> None:
    bad = np.zeros((4176, 2048), bool)
    bad[:, 512:1024], bad[:, 1500], bad[100:200, 1600:1603], bad[7, 9] = True, True, True, True
    assert badpix.boxes(bad) == [
        Box(512, 0, 512, 4176), Box(1500, 0, 1, 4176), Box(9, 7, 1, 1), Box(1600, 100, 3, 100)
    ]  # fmt: skip


def test_many_single_pixels_do_not_run_out_of_room() -> None:
    bad = np.zeros((700, 700), bool)
    bad[::2, ::2] = True
    assert len(badpix.boxes(bad)) == 350 * 350


@pytest.fixture
def darks_and_flats() -> tuple[np.ndarray, list[np.ndarray], dict[str, np.ndarray]]:
    """A dark, two flats with a tilt, and the truth by cause."""
    rng = np.random.default_rng(3)
    truth = {name: rng.random(SHAPE) < 1e-3 for name in ("hot", "response")}
    truth["response"][:, 40:42] = True
    truth["hot"] &= ~truth["response"]
    dark = rng.normal(0.02, 0.01, SHAPE).astype(np.float32)
    dark[truth["hot"]] += rng.uniform(0.6, 50.0, truth["hot"].sum())
    tilt = 1.0 + 0.3 * np.arange(SHAPE[1]) / SHAPE[1]
    flats = [(tilt * rng.normal(1.0, 0.01, SHAPE)).astype(np.float32) for _ in range(2)]
    for flat in flats:
        flat[truth["response"]] *= rng.choice([0.0, 0.6, 1.4], truth["response"].sum())
    flats[0][200:202, 200] = 0.3 * tilt[200]  # dust in one filter of two counts as well
    truth["response"][200:202, 200] = True
    return dark, flats, truth


def test_all_bad_pixels_and_no_good_ones_are_found(darks_and_flats) -> None:
    dark, flats, truth = darks_and_flats
    none = np.zeros(SHAPE, bool)
    found = badpix.find(dark, flats, none, none)
    for cause, true in truth.items():
        np.testing.assert_array_equal(painted([box for box, why in found if why == cause]), true)
    assert {why for _, why in found} == {"hot", "response"}


def test_what_is_listed_or_unlit_is_not_found_again(darks_and_flats) -> None:
    dark, flats, truth = darks_and_flats
    listed, unlit = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    listed[:100], unlit[:, 230:] = True, True
    for flat in flats:
        flat[unlit] = np.nan
    flats[1][150, 100] = np.nan
    found = badpix.find(dark, flats, listed, unlit)
    everything = painted([box for box, _ in found])
    assert everything.max() == 1
    assert not everything[listed | unlit].any()
    assert [box for box, why in found if why == "unlit"] == [Box(100, 150, 1, 1)]
    dark_only = painted([box for box, _ in badpix.find(dark, [], listed, unlit)])
    np.testing.assert_array_equal(dark_only, truth["hot"] & ~listed)


def test_the_neighborhood_of_what_is_listed_is_judged_by_sound_pixels() -> None:
    flat = np.random.default_rng(2).normal(1.0, 0.01, SHAPE).astype(np.float32)
    listed = np.zeros(SHAPE, bool)
    listed[:, :60], listed[300:] = True, True  # most of the squares at the edges
    flat[listed] = 0.6
    flat[10, 62] = 0.7
    found = badpix.odd(flat, listed, badpix.Limits()) & ~listed
    assert list(zip(*np.nonzero(found), strict=True)) == [(10, 62)]
    assert not badpix.odd(flat, np.ones(SHAPE, bool), badpix.Limits()).any()


def test_a_dark_cannot_be_hotter_than_its_noise() -> None:
    noisy = np.random.default_rng(1).normal(0.0, 1.0, SHAPE).astype(np.float32)
    assert badpix.hot(noisy, badpix.Limits()).sum() <= 1
    noisy[5, 5] = 9.0
    assert badpix.hot(noisy, badpix.Limits())[5, 5]


def sky_frame(seed: int, level: float = 2000.0, n_star: int = 60) -> tuple[Image, np.ndarray, np.ndarray]:
    """A frame with a tilted, striped sky, its sky, and the light of its stars."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:1100, :1050]
    sky = level * (1.0 + 0.05 * x / 1050 + 0.02 * np.cos((x + 0.5 * y) / 7.0))
    stars = np.zeros(x.shape)
    for u, v, flux in zip(rng.uniform(0, 1050, n_star), rng.uniform(0, 1100, n_star), 10 ** rng.uniform(3, 6, n_star),
                          strict=True):  # fmt: skip
        part = np.s_[max(int(v) - 40, 0) : int(v) + 41, max(int(u) - 40, 0) : int(u) + 41]
        stars[part] += flux / 60 * (1 + ((x[part] - u) ** 2 + (y[part] - v) ** 2) / 9) ** -3
    data = sky + stars + rng.normal(0, np.sqrt(level), x.shape)
    image = Image(data.astype(np.float32), np.full(x.shape, level, np.float32), np.zeros(x.shape, np.int32))
    return image, sky, stars


def test_sources_are_hidden_and_fringes_are_not() -> None:
    image, sky, stars = sky_frame(1)
    level, surface = sources.hide(image)
    hidden = image.mask & DETECTED != 0
    assert hidden[stars > 600].mean() > 0.999
    assert hidden.mean() < 0.2
    assert level == pytest.approx(np.median(sky), rel=0.003)
    stripes = np.cos((np.arange(1050) + 0.5 * np.arange(1100)[:, None]) / 7.0)
    assert np.corrcoef(hidden.ravel(), stripes.ravel())[0, 1] < 0.02  # crests are not cut more than valleys
    assert np.abs(surface - 2000.0 * (1.0 + 0.05 * np.arange(1050) / 1050)).max() < 12.0


def test_a_frame_without_a_sky_is_told() -> None:
    image, _, _ = sky_frame(2, n_star=1)
    image.mask[:] = 1
    with pytest.raises(DataError) as caught:
        sources.hide(image)
    assert caught.value.code == "no_pixels"


def test_smoothing_keeps_patterns_and_fills_holes() -> None:
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:512, :640]
    stripes = np.cos(x / 6.0)
    noisy = (stripes + rng.normal(0, 0.3, x.shape)).astype(np.float32)
    noisy[rng.random(x.shape) < 0.01] = np.nan
    noisy[:, 600:] = np.nan
    found = smooth.fringe(noisy, 1.0)
    assert np.std(found[:, :595] - stripes[:, :595]) < 0.12
    assert (found[:, 610:] == 0).all()
    assert np.isfinite(smooth.fringe(noisy, 0.0)).all()
    bowl = 1.0 + 0.1 * ((x - 320) / 320) ** 2 - 0.05 * y / 512
    frame = (bowl * rng.normal(1, 0.02, x.shape)).astype(np.float32)
    frame[:150, :150], frame[300, 300] = np.nan, 50.0
    sky = smooth.sky(frame, 64)
    good = ~np.isnan(frame)
    ratio = sky / bowl
    assert ratio[good].std() < 0.002
    assert np.abs(ratio[200:, -6:].mean() / ratio[200:, 300:340].mean() - 1.0) < 0.003  # straight on at the borders
    assert ratio[good].mean() == pytest.approx(1.0 / np.median(bowl), rel=0.01)
    assert np.isfinite(sky).all()
