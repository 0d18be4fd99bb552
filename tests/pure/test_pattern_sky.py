"""How much of a pattern is in a frame, and its subtraction."""

import numpy as np
import pytest

from hscdb.image import pattern
from hscdb.image.mask import NO_DATA

LEVEL, SIGMA = 3000.0, 55.0


def frame(seed: int, amplitude: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A frame of a curved sky with stars and fringes (image, mask, pattern per unit of sky)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:700, :600]
    stripes = 0.02 * np.cos((x + 30 * np.sin(y / 90)) / 6.0)
    image = LEVEL * (1.0 + 0.02 * (x / 600) ** 2) + amplitude * stripes + rng.normal(0, SIGMA, x.shape)
    for u, v, peak in zip(rng.uniform(0, 600, 150), rng.uniform(0, 700, 150), 10 ** rng.uniform(2, 5, 150),
                          strict=True):  # fmt: skip
        part = np.s_[max(int(v) - 30, 0) : int(v) + 31, max(int(u) - 30, 0) : int(u) + 31]
        image[part] += peak * (1 + ((x[part] - u) ** 2 + (y[part] - v) ** 2) / 9) ** -3
    mask = np.zeros(x.shape, np.int32)
    mask[:, 550:], image[:, 550:] = NO_DATA, 0.0
    stripes[:, 550:] = np.nan
    return image.astype(np.float32), mask, stripes.astype(np.float32)


@pytest.mark.parametrize("amplitude", [3000.0, 1500.0, 0.0])
def test_the_amplitude_comes_back_with_its_error(amplitude: float) -> None:
    pulls = []
    for seed in range(6):
        image, mask, stripes = frame(seed, amplitude)
        found, error = pattern.amplitude(image, mask, stripes, LEVEL, SIGMA)
        assert 5.0 < error < 60.0  # of 300 000 pixels of 55 electrons: 15
        pulls.append((found - amplitude) / error)
    assert abs(np.mean(pulls)) < 2.0
    assert np.std(pulls) < 2.5


def test_the_pattern_is_taken_off_where_it_is_known() -> None:
    image, mask, stripes = frame(1, 3000.0)
    clean, _, _ = frame(1, 0.0)
    found, _ = pattern.amplitude(image, mask, stripes, LEVEL, SIGMA)
    pattern.subtract(image, stripes, found)
    assert np.abs(image - clean)[:, :550].max() < 0.02 * 100.0
    assert (image[:, 550:] == 0).all()


def test_what_cannot_be_told_is_no_number() -> None:
    image, mask, stripes = frame(1, 3000.0)
    assert np.isnan(pattern.amplitude(image, np.full_like(mask, NO_DATA), stripes, LEVEL, SIGMA)).all()
    assert np.isnan(pattern.amplitude(image, mask, np.zeros_like(stripes), LEVEL, SIGMA)).all()


def test_the_sky_becomes_flat_and_keeps_its_level() -> None:
    image, mask, _ = frame(3, 0.0)
    bowl = np.broadcast_to(1.0 + 0.02 * (np.arange(600) / 600) ** 2, image.shape)
    bowl = (bowl / bowl.mean()).astype(np.float32)
    level = pattern.flatten(image, mask, bowl)
    assert level == pytest.approx(3020.0, rel=0.003)
    columns = np.median(image[:, :550], axis=0)
    assert columns[:50].mean() == pytest.approx(columns[-50:].mean(), abs=6.0)
    assert columns.mean() == pytest.approx(level, rel=0.004)
