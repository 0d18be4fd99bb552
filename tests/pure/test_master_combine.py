"""Stacks of calibration frames and the levels of flats."""

import numpy as np
import pytest

from hscdb.errors import DataError
from hscdb.image.mask import SAT, UNMASKEDNAN
from hscdb.image.plane import Image
from hscdb.master import combine

SHAPE = (60, 70)


def frames(
    truth: np.ndarray, scales: list[float], noise: float = 4.0, n_ray: int = 30, seed: int = 0
) -> tuple[list[Image], list[np.ndarray]]:
    """Frames of truth * scale with photons, read noise and cosmic rays; and where the rays fell."""
    rng = np.random.default_rng(seed)
    made, struck = [], []
    for scale in scales:
        data = rng.poisson(truth * scale) + rng.normal(0, noise, SHAPE)
        ray = np.zeros(SHAPE, bool)
        ray[rng.integers(0, SHAPE[0], n_ray), rng.integers(0, SHAPE[1], n_ray)] = True
        data[ray] += 2000
        struck.append(ray)
        data = data.astype(np.float32)
        made.append(Image(data, np.maximum(data, 0) + np.float32(noise**2), np.zeros(SHAPE, np.int32)))
    return made, struck


def stacked(images: list[Image], scales: list[float], **more: bool) -> tuple[np.ndarray, combine.Stack]:
    stack = combine.begin(SHAPE)
    for image, scale in zip(images, scales, strict=True):
        combine.look(stack, image, scale)
    combine.center(stack, **more)
    for image, scale in zip(images, scales, strict=True):
        combine.add(stack, image, scale, 4.0, 0.0)
    return combine.result(stack), stack


@pytest.mark.parametrize("n", [3, 5, 12])
def test_a_stack_is_the_mean_without_the_cosmic_rays(n: int) -> None:
    truth, scales = np.full(SHAPE, 2.0), [100.0 * (1 + i % 3) for i in range(n)]
    images, struck = frames(truth, scales)
    mean, stack = stacked(images, scales)
    n_struck = sum(int(ray.sum()) for ray in struck)
    assert n_struck <= stack.n_rejected <= n_struck + 0.02 * n * truth.size
    single = np.sum(struck, 0) <= 1
    error = (mean - truth)[single]
    expected = np.sqrt(2.0 * sum(scales) + n * 16.0) / sum(scales)
    assert error.std() == pytest.approx(expected, rel=0.2)
    assert abs(error.mean()) < 5 * expected / np.sqrt(error.size)
    whole = np.sum(struck, 0) == 0
    assert np.abs(mean - truth)[whole].max() < 6.5 * expected
    assert np.abs(error).max() < 15 * expected  # a ray of 2000 / 100 s would leave 200 of them


def test_of_two_darks_the_lower_is_believed() -> None:
    truth, scales = np.full(SHAPE, 1.0), [300.0, 300.0]
    images, struck = frames(truth, scales, n_ray=60)
    mean, _ = stacked(images, scales, lowest_of_two=True)
    once = np.sum(struck, 0) == 1
    assert np.abs(mean[once] - 1).max() < 0.5


def test_one_frame_is_taken_as_it_is_and_masked_pixels_are_not() -> None:
    images, _ = frames(np.full(SHAPE, 5.0), [10.0], n_ray=0)
    images[0].mask[3, 4], images[0].mask[5, 6] = SAT, UNMASKEDNAN
    mean, _ = stacked(images, [10.0])
    assert np.isnan(mean[3, 4])
    assert np.isnan(mean[5, 6])
    assert np.isnan(mean).sum() == 2
    np.testing.assert_allclose(np.delete(mean.ravel(), [3 * 70 + 4, 5 * 70 + 6]),
                               np.delete(images[0].data.ravel() / 10, [3 * 70 + 4, 5 * 70 + 6]), rtol=1e-5)  # fmt: skip


def test_frames_that_differ_in_shape_by_the_floor_are_kept() -> None:
    truth = np.full(SHAPE, 40000.0)
    images = [Image((truth * f).astype(np.float32), (truth * f).astype(np.float32), np.zeros(SHAPE, np.int32))
              for f in (1.0, 1.0, 1.0, 1.03)]  # fmt: skip
    for floor, n_kept in ((0.0, 3), (0.01, 4)):
        stack = combine.begin(SHAPE)
        for image in images:
            combine.look(stack, image, 1.0)
        combine.center(stack)
        for image in images:
            combine.add(stack, image, 1.0, 4.0, floor)
        assert (stack.low == n_kept).all()


def test_levels_split_into_exposures_and_ccds_even_with_gaps() -> None:
    rng = np.random.default_rng(4)
    exposure, response = rng.uniform(1e4, 4e4, 6), rng.uniform(0.8, 1.2, 20)
    response /= response.mean()
    v, c = np.divmod(rng.permutation(120)[:70], 20)
    found_v, found_c = combine.mosaic_levels(100 + v, c, exposure[v] * response[c])
    np.testing.assert_allclose([found_v[100 + i] for i in np.unique(v)], exposure[np.unique(v)], rtol=1e-9)
    np.testing.assert_allclose([found_c[i] for i in np.unique(c)], response[np.unique(c)], rtol=1e-9)


def test_flats_of_ccds_that_share_no_visit_cannot_be_compared() -> None:
    with pytest.raises(DataError, match="fall apart") as caught:
        combine.mosaic_levels(np.array([1, 1, 2, 2]), np.array([0, 1, 2, 3]), np.array([1.0, 2, 3, 4]))
    assert caught.value.code == "no_overlap"
    with pytest.raises(DataError, match="lit flats"):
        combine.mosaic_levels(np.array([1]), np.array([0]), np.array([-5.0]))
    one_v, one_c = combine.mosaic_levels(np.array([1, 2]), np.array([7, 7]), np.array([10.0, 20.0]))
    assert one_v == pytest.approx({1: 10.0, 2: 20.0})
    assert one_c == pytest.approx({7: 1.0})


def test_nights_far_apart_go_into_different_groups() -> None:
    night = np.array([100, 101, 140, 100, 171, 172, 300])
    assert combine.groups(night, 30).tolist() == [0, 0, 1, 0, 2, 2, 3]
    assert combine.groups(night, 200).tolist() == [0] * 7
    assert combine.groups(np.zeros(0, np.int64), 30).tolist() == []
