"""pattern: sources are laid on references through every pointing error allowed, and never on strangers."""

import numpy as np
import pytest

from hscdb.calibrate import pattern

WIDTH, HEIGHT, MARGIN = 2048.0, 4176.0, 300.0


def field(seed, n_star, *, spurious=0.5, shift=(0.0, 0.0), turn_deg=0.0, scale=1.0, noise=0.3, missing=0.1):
    """Sources (n, 2), fluxes; references (n, 2), fluxes; true partner of each source or -1."""
    rng = np.random.default_rng(seed)
    density = n_star / (WIDTH * HEIGHT)
    n_ref = round(density * (WIDTH + 2 * MARGIN) * (HEIGHT + 2 * MARGIN))
    ref = rng.uniform([-MARGIN, -MARGIN], [WIDTH + MARGIN, HEIGHT + MARGIN], (n_ref, 2))
    flux = 10 ** rng.uniform(2.0, 5.0, n_ref)
    matrix = scale * np.array(
        [
            [np.cos(np.radians(turn_deg)), -np.sin(np.radians(turn_deg))],
            [np.sin(np.radians(turn_deg)), np.cos(np.radians(turn_deg))],
        ]
    )
    middle = np.array([WIDTH, HEIGHT]) / 2
    source = (ref - middle - shift) @ np.linalg.inv(matrix).T + middle
    seen = ((source >= 0) & (source <= (WIDTH, HEIGHT))).all(axis=1) & (rng.uniform(size=n_ref) > missing)
    partner = np.flatnonzero(seen)
    source = source[seen] + rng.normal(0.0, noise, (seen.sum(), 2))
    source_flux = flux[seen] * 10 ** rng.normal(0.0, 0.1, seen.sum())
    n_false = round(len(source) * spurious / (1 - spurious))
    source = np.vstack([source, rng.uniform([0, 0], [WIDTH, HEIGHT], (n_false, 2))])
    source_flux = np.concatenate([source_flux, 10 ** rng.uniform(2.0, 5.0, n_false)])
    partner = np.concatenate([partner, np.full(n_false, -1)])
    order = rng.permutation(len(source))
    return source[order], source_flux[order], ref, flux, partner[order]


def right(found, partner):
    """Fraction of the pairs that are true ones."""
    return np.mean(partner[found.source] == found.ref)


@pytest.mark.parametrize("seed", range(6))
def test_pattern_survives_the_largest_pointing_error_with_half_of_the_sources_spurious(seed):
    rng = np.random.default_rng(100 + seed)
    direction = rng.uniform(0, 2 * np.pi)
    given = field(
        seed,
        150,
        shift=(250 * np.cos(direction), 250 * np.sin(direction)),
        turn_deg=(-1) ** seed * 1.1,
        scale=1 + rng.choice([-0.01, 0.01]),
    )
    found = pattern.find(*given[:4])
    assert found is not None
    n_true = (given[4] >= 0).sum()
    assert len(found.source) > 0.9 * n_true
    assert right(found, given[4]) > 0.97


@pytest.mark.parametrize("n_star", [7, 12])
@pytest.mark.parametrize("seed", range(12))
def test_pattern_is_found_with_twelve_stars_or_seven_among_as_many_spurious(seed, n_star):
    given = field(seed, n_star, spurious=0.5, shift=(-204.0, 144.0), turn_deg=1.1, scale=0.993, missing=0.0)
    n_true = (given[4] >= 0).sum()
    found = pattern.find(*given[:4])
    if n_true >= 6:
        assert found is not None
        assert right(found, given[4]) >= (n_true - 1) / n_true
    elif found is not None:
        assert right(found, given[4]) > 0.8


@pytest.mark.parametrize("n_star", [2000, 9000])
def test_pattern_is_found_in_a_crowded_field(n_star):
    given = field(5, n_star, spurious=0.5, shift=(100.0, -229.0), turn_deg=-1.1, scale=1.008)
    found = pattern.find(*given[:4])
    assert found is not None
    assert right(found, given[4]) > 0.9


@pytest.mark.parametrize("n_star", [8, 12, 40, 200, 1000])
def test_pattern_of_strangers_is_refused(n_star):
    for seed in range(8):
        source, source_flux, *_ = field(seed, n_star)
        _, _, ref, ref_flux, _ = field(1000 + seed, n_star)
        assert pattern.find(source, source_flux, ref, ref_flux) is None


def test_pattern_finds_the_true_transform():
    given = field(3, 200, shift=(31.0, -47.0), turn_deg=0.4, scale=1.003, noise=0.05)
    found = pattern.find(*given[:4])
    corner = np.array([[0.0, 0.0], [WIDTH, HEIGHT]])
    middle = np.array([WIDTH, HEIGHT]) / 2
    turn = np.radians(0.4)
    matrix = 1.003 * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    true = (corner - middle) @ matrix.T + middle + (31.0, -47.0)
    np.testing.assert_allclose(np.stack(found.apply(*corner.T), axis=1), true, atol=0.06)


def test_pattern_does_not_depend_on_the_order_of_rows():
    source, source_flux, ref, ref_flux, _ = field(9, 60, shift=(80.0, 80.0), turn_deg=0.5)
    rng = np.random.default_rng(0)
    a, b = rng.permutation(len(source)), rng.permutation(len(ref))
    first = pattern.find(source, source_flux, ref, ref_flux)
    second = pattern.find(source[a], source_flux[a], ref[b], ref_flux[b])
    assert set(zip(first.source, first.ref, strict=True)) == set(zip(a[second.source], b[second.ref], strict=True))


def test_pattern_wants_enough_stars():
    assert pattern.find(np.zeros((0, 2)), np.zeros(0), np.zeros((0, 2)), np.zeros(0)) is None
    source = np.array([[10.0, 10.0], [500.0, 900.0], [900.0, 100.0]])
    assert pattern.find(source, np.ones(3), source + 3.0, np.ones(3)) is None


@pytest.mark.parametrize("seed", range(3))
def test_mutual_nearest_equals_the_full_distance_matrix(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(0, 10, (80, 2)), rng.uniform(0, 10, (90, 2))
    distance = np.hypot(*(a[:, None] - b[None]).transpose(2, 0, 1))
    wanted = {
        (i, j) for i, j in enumerate(distance.argmin(axis=1)) if distance[:, j].argmin() == i and distance[i, j] <= 0.7
    }
    i, j = pattern.mutual_nearest(a, b, 0.7)
    assert set(zip(i, j, strict=True)) == wanted
