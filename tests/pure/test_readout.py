"""What the readout did is undone: every effect is injected with known numbers and taken out again."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.interpolate import Akima1DInterpolator

from hscdb.camera.load import load
from hscdb.camera.model import Amplifier, Box, Camera, Ccd
from hscdb.errors import ConfigError, InputError
from hscdb.image.mask import BAD, CROSSTALK, NO_DATA, SAT, SUSPECT, UNMASKEDNAN
from hscdb.image.readout import crosstalk, defects, frame, overscan, saturation
from hscdb.image.readout.frame import Steps

NY, WIDTH, N_AMP = 240, 64, 4
GAIN = (3.1, 2.5, 3.6, 4.2)
C0 = (1.5e-7, -2.0e-7, 2.5e-7, 0.0)
MATRIX = -1e-6 * np.array([[0, 124, 171, 157], [125, 0, 134, 151], [149, 132, 0, 137], [156, 157, 153, 0]])
STRIDE = WIDTH + 16 + 8  # data, overscan, prescan


def camera(**changes: object) -> Camera:
    """Four amplifiers in mirrored pairs, as in Hyper Suprime-Cam."""
    amps = []
    for amp in range(N_AMP):
        is_mirrored = amp % 2 == 1
        x0 = amp * STRIDE + (24 if is_mirrored else 8)
        scan = amp * STRIDE + (8 if is_mirrored else 8 + WIDTH)
        amps.append(
            Amplifier(
                amp, Box(amp * WIDTH, 0, WIDTH, NY), Box(x0, 5, WIDTH, NY), Box(scan, 5, 16, NY), GAIN[amp], 4.5,
                52000.0, 50000.0, C0[amp], is_mirrored,
            )
        )  # fmt: skip
    ccd = Ccd(
        0, "a", "science", N_AMP * WIDTH, NY, 0.0, 0.0, 0.0, 0, (N_AMP * WIDTH - 1) / 2, (NY - 1) / 2, "", tuple(amps)
    )
    made = Camera("four", "four amplifiers", 0.168, {0: ccd}, (), crosstalk=MATRIX)
    return replace(made, **changes)


def expose(made: Camera, electrons: np.ndarray, level: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Electrons -> raw adu, float64: crosstalk, non-linearity, bias, overscan level by row."""
    ccd = made.ccds[0]
    gain = np.repeat(GAIN, WIDTH)
    linear = electrons / gain
    background = np.median(linear[::16, ::16])
    order = [slice(None, None, -1) if a.is_mirrored else slice(None) for a in ccd.amplifiers]
    by_amp = [linear[a.box.slices][:, turn] for a, turn in zip(ccd.amplifiers, order, strict=True)]
    seen = linear.copy()
    if made.crosstalk is not None:
        for a in ccd.amplifiers:
            ghost = sum(made.crosstalk[a.amp, b] * (by_amp[b] - background) for b in range(N_AMP))
            seen[a.box.slices] += ghost[:, order[a.amp]]
    raw = np.full((NY + 10, N_AMP * STRIDE), 900.0)
    for a in ccd.amplifiers:
        adu = seen[a.box.slices]
        if a.linearity_c0:
            adu = (-1 + np.sqrt(1 + 4 * a.linearity_c0 * adu)) / (2 * a.linearity_c0)
        raw[a.raw_box.slices] = adu + bias[a.box.slices] + level[:, None] + 7 * a.amp
        raw[a.overscan.slices] = level[:, None] + 7 * a.amp
    return raw


def scene(seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    electrons = np.full((NY, N_AMP * WIDTH), 6000.0) + rng.normal(0, 50, (NY, N_AMP * WIDTH))
    electrons[100:110, 20:30] = 100000.0
    return electrons


def test_all_effects_together_are_undone() -> None:
    made, truth = camera(), scene()
    ccd = made.ccds[0]
    y, x = np.mgrid[:NY, : N_AMP * WIDTH]
    level = 1000 + 3 * np.sin(np.arange(NY) / 60)
    bias = 5 * np.sin(x / 9.0) + 0.02 * y
    flat = (1 + 0.1 * np.sin(x / 30.0) + 1e-3 * (y - NY / 2)).astype(np.float32)
    dark = (0.5 + 0.01 * x).astype(np.float32)
    raw = expose(made, truth * flat + 200.0 * dark, level, bias).astype(np.float32)
    adu = frame.to_adu(raw, ccd, Steps(), bias.astype(np.float32))
    image = frame.to_electrons(adu, made, ccd, Steps(), dark, 200.0, flat)
    np.testing.assert_allclose(image.data, truth, atol=0.25)  # the spline through the rows and float32 leave 0.1 e-
    assert image.mask[0, 0] == 0
    assert np.allclose([adu.level_adu[a] for a in range(4)], level.mean() + 7 * np.arange(4), atol=0.02)


@pytest.mark.parametrize(
    ("step", "least_e"),
    [("do_overscan", 1000), ("do_linearity", 5), ("do_crosstalk", 5)],
)
def test_each_step_matters_and_can_be_switched_off(step: str, least_e: float) -> None:
    made, truth = camera(), scene()
    raw = expose(made, truth, np.full(NY, 1000.0), np.zeros_like(truth)).astype(np.float32)
    steps = replace(Steps(), **{step: False})
    image = frame.to_electrons(frame.to_adu(raw, made.ccds[0], steps), made, made.ccds[0], steps)
    assert np.abs(image.data - truth).max() > least_e


def test_read_noise_and_variance_are_measured_in_electrons() -> None:
    made, rng = camera(crosstalk=None), np.random.default_rng(3)
    truth = np.full((NY, N_AMP * WIDTH), 900.0)
    exact = expose(made, rng.poisson(truth).astype(float), np.full(NY, 1000.0), np.zeros_like(truth))
    raw = np.round(exact + rng.normal(0, 1.6, exact.shape)).astype(np.uint16)
    steps = Steps()
    adu = frame.to_adu(raw, made.ccds[0], steps)
    expected = np.hypot(1.6, np.sqrt(1 / 12)) * np.array(GAIN)  # rounding to whole adu included
    np.testing.assert_allclose(adu.read_noise_e(made.ccds[0]), expected, rtol=0.04)  # 3840 pixels: 1.2 %
    np.testing.assert_allclose(adu.read_noise_e(made.ccds[0], empirical=False), 4.5)
    image = frame.to_electrons(adu, made, made.ccds[0], steps)
    for a in made.ccds[0].amplifiers:
        box = image.data[a.box.slices]
        assert box.var() == pytest.approx(image.variance[a.box.slices].mean(), rel=0.05)
        assert box.mean() == pytest.approx(900.0, abs=4 * np.sqrt(900 / box.size) + 0.3 * a.gain_e_per_adu)
    assert (image.variance > 0).all()


def test_a_sky_taken_off_before_stays_in_the_variance() -> None:
    made = camera(crosstalk=None)
    amps = tuple(replace(amp, overscan=None, sky_adu=400.0, linearity_c0=0.0) for amp in made.ccds[0].amplifiers)
    ccd = replace(made.ccds[0], amplifiers=amps)
    raw = np.full((NY + 10, N_AMP * STRIDE), 10.0, np.float32)
    image = frame.to_electrons(frame.to_adu(raw, ccd, Steps()), made, ccd, Steps())
    for a in amps:
        variance = 410.0 * a.gain_e_per_adu + a.read_noise_e**2
        np.testing.assert_allclose(image.variance[a.box.slices], variance, rtol=1e-3)
        np.testing.assert_allclose(image.data[a.box.slices], 10.0 * a.gain_e_per_adu, rtol=1e-3)


def test_saturation_is_judged_on_raw_adu() -> None:
    made = camera()
    raw = np.full((NY + 10, N_AMP * STRIDE), 1000.0, np.float32)
    box = made.ccds[0].amplifiers[1].raw_box
    raw[box.y0 + 7, box.x0 + 3 : box.x0 + 6] = 50000.0, 50001.0, 52001.0
    mask = frame.to_adu(raw, made.ccds[0], Steps()).mask
    assert mask[7, WIDTH + 3 : WIDTH + 6].tolist() == [0, SUSPECT, SUSPECT | SAT]
    off = replace(Steps(), do_saturation=False, do_suspect=False)
    assert not frame.to_adu(raw, made.ccds[0], off).mask.any()


def test_overscan_ignores_stray_pixels_and_follows_a_drift() -> None:
    rng = np.random.default_rng(5)
    y = np.arange(4176)
    level = 1003 + 4 * np.sin(y / 700) + 5e-4 * y
    pixels = level[:, None] + rng.normal(0, 1.5, (4176, 16))
    pixels[rng.integers(0, 4176, 300), rng.integers(0, 16, 300)] += 40
    pixels[2000:2003] = 30000
    found = overscan.measure(np.round(pixels).astype(np.uint16))
    assert np.abs(found.level_adu - level).max() < 0.25
    assert np.abs(found.level_adu - level).mean() < 0.05
    assert found.read_noise_adu == pytest.approx(np.hypot(1.5, 0.289), rel=0.02)
    assert not found.is_blind.any()


@pytest.mark.parametrize("step", [0.0, 1e-3, 1.0])
@pytest.mark.parametrize("n_bin", [3, 30])
def test_the_level_is_akimas_spline_straight_on_at_the_ends(n_bin: int, step: float) -> None:
    means = np.cumsum(np.random.default_rng(n_bin).normal(0.0, step, 40 * n_bin)) + 1000.0
    means[: 7 * n_bin] = np.nan
    rows, good = np.arange(means.size), np.isfinite(means)
    bins = [ok for ok in np.split(np.where(good, rows, -1), n_bin) if (ok >= 0).any()]
    x, y = (np.array([of[ok[ok >= 0]].mean() for ok in bins]) for of in (rows, means))
    if len(x) < 3:
        expected = np.full(means.size, means[good].mean())
    else:
        spline, inside = Akima1DInterpolator(x, y), np.clip(rows, x[0], x[-1])
        expected = spline(inside) + spline(inside, 1) * (rows - inside)
    np.testing.assert_allclose(overscan.smooth(means, n_bin), expected, rtol=0, atol=1e-8)


def test_rows_without_overscan_at_the_ends_are_suspect() -> None:
    made = camera()
    raw = expose(made, scene(), np.full(NY, 1000.0), np.zeros((NY, N_AMP * WIDTH))).astype(np.float32)
    scan = made.ccds[0].amplifiers[2].overscan
    raw[scan.y0 : scan.y0 + 9, scan.x0 : scan.x0 + 16] = 60000
    mask = frame.to_adu(raw, made.ccds[0], Steps()).mask
    struck = mask[:, 2 * WIDTH : 3 * WIDTH] & SUSPECT
    assert struck[:9].all()
    assert not struck[9:].any()


def test_a_camera_without_overscan_keeps_its_level_for_the_bias() -> None:
    made = camera(crosstalk=None)
    ccd = made.ccds[0]
    bare = replace(ccd, amplifiers=tuple(replace(a, overscan=None) for a in ccd.amplifiers))
    truth = scene()
    bias = np.full(truth.shape, 1000.0, np.float32) + np.repeat([0, 7, 14, 21], WIDTH).astype(np.float32)
    raw = expose(made, truth, np.full(NY, 1000.0), np.zeros_like(truth)).astype(np.float32)
    adu = frame.to_adu(raw, bare, Steps(), bias)
    assert np.isnan(list(adu.level_adu.values())).all()
    assert adu.bad == frozenset()
    image = frame.to_electrons(adu, made, bare, Steps())
    np.testing.assert_allclose(image.data, truth, atol=0.1)
    np.testing.assert_allclose(adu.read_noise_e(bare), 4.5)


def test_dead_amplifiers_are_bad_and_cast_no_ghosts() -> None:
    made, truth = camera(), scene()
    raw = expose(camera(crosstalk=None), truth, np.full(NY, 1000.0), np.zeros_like(truth)).astype(np.float32)
    box = made.ccds[0].amplifiers[3].raw_box
    raw[box.slices] = 40000
    bad = defects.bad_amplifiers(made.ccds[0], [Box(3 * WIDTH - 1, 0, WIDTH + 1, NY), Box(0, 0, WIDTH, NY - 1)])
    assert bad == {3}
    steps = Steps()
    adu = frame.to_adu(raw, made.ccds[0], steps, bad=bad)
    assert np.isnan(adu.level_adu[3])
    image = frame.to_electrons(adu, made, made.ccds[0], steps)
    assert (image.mask[:, 3 * WIDTH :] & BAD).all()
    assert not (image.mask[:, : 3 * WIDTH] & (BAD | CROSSTALK)).any()
    quiet = np.s_[150:, :WIDTH]
    assert np.abs(image.data[quiet] - truth[quiet]).max() < 2.0  # 40000 adu would have left 150e-6 * 40000 * 3 = 18 e-


def test_an_amplifier_saturated_all_over_is_dead() -> None:
    made = camera()
    raw = np.full((NY + 10, N_AMP * STRIDE), 1000.0, np.float32)
    raw[made.ccds[0].amplifiers[0].raw_box.slices] = 65535
    raw[made.ccds[0].amplifiers[1].raw_box.slices] = 51000
    raw[made.ccds[0].amplifiers[2].overscan.slices] = np.nan
    assert frame.to_adu(raw, made.ccds[0], Steps()).bad == {0, 1, 2}


def test_bright_pixels_mark_their_mirror_images() -> None:
    made = camera()
    raw = np.full((NY + 10, N_AMP * STRIDE), 1000.0, np.float32)
    box = made.ccds[0].amplifiers[0].raw_box
    raw[box.y0 + 30, box.x0 + 10] = 48000.0
    raw[box.y0 + 40, box.x0 + 10] = 45000.0  # 44000 above: not enough
    steps = Steps()
    mask = frame.to_electrons(frame.to_adu(raw, made.ccds[0], steps), made, made.ccds[0], steps).mask
    rows, columns = np.nonzero(mask & CROSSTALK)
    assert set(rows) == {30}
    assert sorted(columns) == [2 * WIDTH - 11, 2 * WIDTH + 10, 4 * WIDTH - 11]


def test_what_is_no_number_in_a_source_casts_no_ghost() -> None:
    row, bits = np.full(N_AMP * WIDTH, 10, np.float32), np.zeros(N_AMP * WIDTH, np.int32)
    row[5] = np.nan
    held, x0 = np.empty((2, N_AMP, WIDTH), np.float32), np.arange(N_AMP) * WIDTH
    crosstalk.undo_row(row, bits, x0, np.array([False, True] * 2), MATRIX, 10.0, 45000.0, held)
    assert np.isnan(row[5])
    assert np.isfinite(np.delete(row, 5)).all()


def test_flat_and_bias_without_numbers_are_masked() -> None:
    made, truth = camera(), scene()
    raw = expose(made, truth, np.full(NY, 1000.0), np.zeros_like(truth)).astype(np.float32)
    bias, flat = np.zeros(truth.shape, np.float32), np.ones(truth.shape, np.float32)
    bias[4, 4], flat[5, 5], flat[6, 6] = np.nan, np.nan, 0.01
    steps = replace(Steps(), do_crosstalk=False)
    image = frame.to_electrons(frame.to_adu(raw, made.ccds[0], steps, bias), made, made.ccds[0], steps, flat=flat)
    assert (image.mask[4, 4], image.mask[5, 5], image.mask[6, 6]) == (UNMASKEDNAN, NO_DATA, BAD)
    assert np.count_nonzero(image.mask & (UNMASKEDNAN | NO_DATA | BAD)) == 3


def test_a_frame_of_another_size_is_refused() -> None:
    made = camera()
    with pytest.raises(InputError, match="at least") as caught:
        frame.to_adu(np.zeros((NY, STRIDE), np.uint16), made.ccds[0], Steps())
    assert caught.value.code == "wrong_size"
    exact = replace(made.ccds[0], raw_width=N_AMP * STRIDE, raw_height=NY + 10)
    with pytest.raises(InputError, match=f"camera says {N_AMP * STRIDE} x {NY + 10}"):
        frame.to_adu(np.zeros((NY + 11, N_AMP * STRIDE), np.uint16), exact, Steps())


def test_a_camera_that_cannot_be_cut_is_told() -> None:
    ccd = camera().ccds[0]
    raw = np.zeros((NY + 10, N_AMP * STRIDE), np.uint16)
    with pytest.raises(ConfigError, match="no amplifier"):
        frame.to_adu(raw, replace(ccd, amplifiers=()), Steps())
    short = replace(ccd.amplifiers[1], overscan=Box(0, 0, 16, 20))
    with pytest.raises(ConfigError, match=f"amp=1: overscan and data have 20 and {NY} rows"):
        frame.to_adu(raw, replace(ccd, amplifiers=(ccd.amplifiers[0], short)), Steps())


def test_pixels_of_no_amplifier_have_no_data() -> None:
    made = camera(crosstalk=None)
    ccd = replace(made.ccds[0], amplifiers=made.ccds[0].amplifiers[:3])
    raw = expose(made, scene(), np.full(NY, 1000.0), np.zeros((NY, N_AMP * WIDTH))).astype(np.float32)
    image = frame.to_electrons(frame.to_adu(raw, ccd, Steps()), made, ccd, Steps())
    assert (image.mask[:, 3 * WIDTH :] == NO_DATA).all()
    assert not (image.mask[:, : 3 * WIDTH] & NO_DATA).any()


@pytest.mark.parametrize(("length", "extra"), [(5, 0), (6, 1), (7, 1), (8, 3), (9, 3), (10, 4), (40, 4)])
def test_trails_widen_with_their_width(length: int, extra: int) -> None:
    mask = np.zeros((9, 100), np.int32)
    mask[4, 30 : 30 + length] = SAT
    saturation.spread(mask, widen=True, n_grow=0)
    assert np.flatnonzero(mask[4]).tolist() == list(range(30 - extra, 30 + length + extra))
    assert not mask[[3, 5]].any()


def test_saturation_grows_by_a_pixel_but_not_over_the_edge() -> None:
    mask = np.zeros((6, 8), np.int32)
    mask[0, 0], mask[4, 7], mask[2, 4] = SAT, SAT, SUSPECT
    saturation.spread(mask, widen=False, n_grow=1)
    expected = np.zeros((6, 8), np.int32)
    expected[0:2, 0:2] = expected[3:6, 6:8] = SAT
    expected[2, 4] = SUSPECT
    np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize("room", [100_000, 5000, 1])
def test_many_runs_are_not_forgotten(room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saturation, "_ROOM", room)
    mask = np.zeros((100, 200), np.int32)
    mask[:, ::4] = SAT  # 5000 runs
    saturation.spread(mask, widen=True, n_grow=1)
    assert (mask != 0).mean() == pytest.approx(0.745, abs=0.01)


def test_defects_reach_over_the_edge_and_are_cut() -> None:
    mask = np.zeros((10, 12), np.int32)
    defects.mark(mask, [Box(-2, -3, 4, 5), Box(10, 8, 9, 9), Box(-9, 0, 3, 3)])
    assert np.argwhere(mask & BAD).tolist() == [[0, 0], [0, 1], [1, 0], [1, 1], [8, 10], [8, 11], [9, 10], [9, 11]]


def test_the_lit_circle_is_the_one_of_the_focal_plane() -> None:
    hsc = load("hsc")
    for number in (0, 9, 22, 50, 100, 103, 99):
        ccd = hsc.ccds[number]
        mask = np.zeros((ccd.height, ccd.width), np.int32)
        defects.mark_unlit(mask, hsc, ccd)
        assert (mask == NO_DATA).mean() == pytest.approx(ccd.vignetted_fraction, abs=2e-4)
    turn = np.deg2rad(ccd.yaw_deg)
    for y, x in ((0, 0), (2087, 1023), (4175, 2047), (1500, 40), (600, 2000)):
        dx, dy = x - ccd.center_x_pix, y - ccd.center_y_pix
        u = ccd.u_pix + np.cos(turn) * dx - np.sin(turn) * dy
        v = ccd.v_pix + np.sin(turn) * dx + np.cos(turn) * dy
        assert (mask[y, x] == NO_DATA) == (np.hypot(u + 100, v - 100) > 17500)


def test_hsc_has_the_dead_amplifiers_of_its_defect_lists() -> None:
    hsc = load("hsc")
    dead = {n: defects.bad_amplifiers(hsc.ccds[n], hsc.defects_on(n, "2017-06-01")) for n in range(104)}
    assert {n: sorted(amps) for n, amps in dead.items() if amps} == {
        0: [1], 9: [0, 1, 2, 3], 33: [0, 1], 43: [0], 94: [2]
    }  # fmt: skip
    assert defects.bad_amplifiers(hsc.ccds[33], hsc.defects_on(33, "2015-01-01")) == frozenset()
