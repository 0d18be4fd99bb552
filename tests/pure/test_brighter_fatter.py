"""The brighter-fatter effect is undone: against a slow twin, and on simulated frames whose light is known."""

import numpy as np
import pytest
from scipy.signal import fftconvolve

from hscdb.camera.load import load
from hscdb.image.mask import EDGE
from hscdb.isr import brighter_fatter
from hscdb.simulate import electronics

KERNEL = load("hsc").brighter_fatter
SKY = 1500.0
INNER = np.s_[12:-12, 12:-12]


def light(seed: int = 1, shape: tuple[int, int] = (300, 260), n_star: int = 40) -> np.ndarray:
    """Stars of up to 100 000 electrons at their peaks on a sky, without noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = np.full(shape, SKY)
    for u, v, peak in zip(rng.uniform(0, shape[1], n_star), rng.uniform(0, shape[0], n_star),
                          10 ** rng.uniform(2.5, 5, n_star), strict=True):  # fmt: skip
        image += peak * (1 + ((x - u) ** 2 + (y - v) ** 2) / 10) ** -3
    return image.astype(np.float32)


def repelled(true: np.ndarray) -> np.ndarray:
    seen = true.copy()
    electronics.repel(seen, KERNEL)
    return seen


def slow(seen: np.ndarray) -> np.ndarray:
    """The same correction with whole-frame convolutions, iterated ten times."""
    half = KERNEL.shape[0] // 2
    charge = seen.astype(np.float64)
    for _ in range(10):
        pull = fftconvolve(np.pad(charge, half, mode="edge"), KERNEL, mode="valid")
        flow = np.zeros_like(charge)
        for axis in (0, 1):
            a, p, f = (np.moveaxis(one, axis, 0) for one in (charge, pull, flow))
            step = 0.25 * (a[1:] + a[:-1]) * np.diff(p, axis=0)
            f[:-1] += step
            f[1:] -= step
        charge = seen + flow
    return charge


def corrected(seen: np.ndarray, **more: object) -> np.ndarray:
    image, mask = seen.copy(), np.zeros(seen.shape, np.int32)
    brighter_fatter.correct(image, mask, KERNEL, SKY, **more)
    return image


def test_the_light_comes_back() -> None:
    true = light()
    seen = repelled(true)
    assert np.abs(seen - true)[INNER].max() > 1000.0
    back = corrected(seen)
    assert (np.abs(back - true) / np.sqrt(true))[INNER].max() < 0.05  # twentieths of the photon noise
    assert np.abs(corrected(seen, least_e=-1e9) - true)[INNER].max() < 1.5  # all tiles: what terms left out are worth


def test_tiles_and_products_of_lines_equal_whole_convolutions() -> None:
    seen = repelled(light(2))
    np.testing.assert_allclose(corrected(seen, least_e=-1e9)[INNER], slow(seen)[INNER], atol=1.5)


def test_charge_is_neither_made_nor_lost() -> None:
    seen = np.full((200, 200), SKY, np.float32)
    y, x = np.mgrid[:200, :200]
    seen += (8e4 * np.exp(-((x - 97.3) ** 2 + (y - 101.6) ** 2) / 12.0)).astype(np.float32)
    back = corrected(seen)
    assert back[102, 97] > 1.01 * seen[102, 97]
    assert abs(float((back.astype(float) - seen).sum())) < 20.0  # of 3 million electrons


def test_charge_is_what_was_collected_before_dark_and_flat() -> None:
    true = light(3)
    flat = (0.7 + 0.2 * np.arange(true.shape[1]) / true.shape[1] + np.zeros_like(true)).astype(np.float32)
    dark = np.full(true.shape, 2.0, np.float32)
    collected = repelled((true * flat + 100.0 * dark).astype(np.float32))
    seen = ((collected - 100.0 * dark) / flat).astype(np.float32)
    back = corrected(seen, flat=flat, dark=dark, dark_s=100.0)
    wrong = corrected(seen)
    error = [np.abs(one - true)[INNER].max() for one in (back, wrong)]
    assert error[0] < 10.0 < 0.1 * error[1]
    flat[50:60, 50:60] = np.nan
    assert np.isfinite(corrected(seen, flat=flat, dark=dark, dark_s=100.0)).all()


def test_the_border_is_marked_and_left_alone() -> None:
    seen = repelled(light(4))
    image, mask = seen.copy(), np.zeros(seen.shape, np.int32)
    found = brighter_fatter.correct(image, mask, KERNEL, SKY, border_pix=8)
    border = np.ones(seen.shape, bool)
    border[8:-8, 8:-8] = False
    np.testing.assert_array_equal(mask == EDGE, border)
    np.testing.assert_array_equal(image[border], seen[border])
    assert found.moved_e == pytest.approx(np.abs(image - seen).sum(), rel=1e-3)
    assert 2 <= found.n_round <= 6


def test_a_frame_without_stars_is_left_as_it_is() -> None:
    flat = np.full((130, 130), SKY, np.float32)
    found = brighter_fatter.correct(flat, np.zeros(flat.shape, np.int32), KERNEL, SKY)
    assert (found.n_tile, found.n_round, found.moved_e) == (0, 0, 0.0)
    assert (flat == SKY).all()


def test_the_kernel_is_the_sum_of_its_factors() -> None:
    u, v = brighter_fatter.factors(KERNEL)
    assert len(u) < 6
    both = [np.concatenate([one[:, :0:-1], one], axis=1).astype(float) for one in (u, v)]
    assert np.abs(both[1].T @ both[0] - KERNEL).max() < 2e-3 * np.abs(KERNEL).max()
    for wrong in (np.eye(4), np.eye(3) + np.diag([1.0, 0.0], 1), np.zeros((3, 5))):
        with pytest.raises(ValueError, match="kernel"):
            brighter_fatter.factors(wrong)
