"""Raw frames that are not worth any work are told from those that are, each with its figure."""

from dataclasses import replace

import numpy as np
import pytest

from hscdb.camera.load import load
from hscdb.camera.model import Box, Camera, Ccd
from hscdb.isr import vet

NOISE = 12.0


def camera() -> Camera:
    """The toy camera with CCDs four times as large: two amplifiers of 512 x 1024 pixels."""
    toy = load("toy")
    amps = []
    for amp in toy.ccds[0].amplifiers:
        x0 = amp.amp * (512 + 24)
        data = x0 + (24 if amp.is_mirrored else 8)
        scan = x0 + (8 if amp.is_mirrored else 520)
        amps.append(replace(amp, box=Box(amp.amp * 512, 0, 512, 1024), raw_box=Box(data, 12, 512, 1024),
                            overscan=Box(scan, 12, 16, 1024)))  # fmt: skip
    ccd = replace(
        toy.ccds[0], width=1024, height=1024, raw_width=1072, raw_height=1048, center_x_pix=511.5, center_y_pix=511.5,
        yaw_deg=0.0, amplifiers=tuple(amps),
    )  # fmt: skip
    return replace(toy, ccds={0: ccd}, defects=(), vignette=None)


CAMERA = camera()
CCD = CAMERA.ccds[0]


def frame(
    seed: int = 1, fwhm: float = 4.0, sky: float = 300.0, n_star: int = 150, gain: tuple[float, float] = (1.0, 1.2)
) -> np.ndarray:
    """A raw frame of stars (Moffat), amplifiers of unlike bias and gain."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:1024, :1024]
    image = np.full(x.shape, sky)
    core = (fwhm / 2) ** 2 / (2 ** (1 / 3) - 1)
    for u, v, flux in zip(rng.uniform(0, 1024, n_star), rng.uniform(0, 1024, n_star), 10 ** rng.uniform(3.5, 6, n_star),
                          strict=True):  # fmt: skip
        part = np.s_[max(int(v) - 60, 0) : int(v) + 61, max(int(u) - 60, 0) : int(u) + 61]
        shape = (1 + ((x[part] - u) ** 2 + (y[part] - v) ** 2) / core) ** -3
        image[part] += flux * 2 / np.pi / core * shape
    raw = 1000 + rng.normal(0, 2, (1048, 1072))
    for amp, factor in zip(CCD.amplifiers, gain, strict=True):
        raw[amp.raw_box.slices] += factor * image[amp.box.slices] + rng.normal(0, NOISE, (1024, 512))
        raw[amp.raw_box.slices] += 40 * amp.amp
        raw[amp.overscan.slices] += 40 * amp.amp
    return np.clip(raw, 0, 65535).astype(np.uint16)


def failed(raw: np.ndarray, ccd: Ccd = CCD, made: Camera = CAMERA, boxes: tuple[Box, ...] = (), **more: object) -> list:
    """Names and figures of the checks that are not passed."""
    found = list(vet.checks(raw, ccd, made, boxes, vet.Limits(**more)))
    assert [one.name for one in found][:3] == ["empty", "background", "high_pixels"] or not found
    return [(one.name, one.found) for one in found if not one.is_good]


@pytest.mark.parametrize(
    "words", [{}, {"n_star": 0}, {"sky": 5.0}, {"sky": 8000.0}, {"n_star": 1500}, {"fwhm": 2.4}, {"fwhm": 9.0}]
)
def test_a_good_frame_passes(words: dict[str, float]) -> None:
    raw = frame(**words)
    assert failed(raw) == []
    checks = {one.name: one for one in vet.checks(raw, CCD, CAMERA)}
    assert checks["background"].found == pytest.approx(1.1 * words.get("sky", 300.0), rel=0.12, abs=8)
    if words.get("n_star") == 0:
        assert np.isnan(checks["acf"].found)
    else:
        assert checks["acf"].found == pytest.approx(words.get("fwhm", 4.0), rel=0.25)


def test_an_empty_frame_is_refused() -> None:
    assert ("empty", 0.0) in failed(np.full((1048, 1072), 1000, np.uint16))


def test_a_bright_sky_is_refused_with_its_level() -> None:
    (found,) = failed(frame(sky=25000.0))
    assert found[0] == "background"
    assert found[1] == pytest.approx(27500, rel=0.1)
    assert failed(frame(sky=25000.0), background_max_adu=30000.0) == []


def test_a_sky_below_the_overscan_is_refused_with_its_level() -> None:
    raw = frame(sky=300.0)
    for amp in CCD.amplifiers:
        assert amp.overscan is not None
        raw[amp.overscan.slices] += 500
    found = {one[0]: one[1] for one in failed(raw)}
    assert found["background"] == pytest.approx(-170, abs=40)
    assert "background" not in {one[0] for one in failed(raw, background_min_adu=-500.0)}


def test_too_many_high_pixels_are_refused_with_their_part() -> None:
    raw = frame()
    raw[100:400] = 50000
    (found,) = [one for one in failed(raw) if one[0] == "high_pixels"]
    assert found[1] == pytest.approx(300 / 1024, rel=0.03)
    raw = frame()
    raw[100:150] = 50000  # a bright star's trails
    assert failed(raw) == []


def test_a_value_that_is_there_too_often_is_refused() -> None:
    raw = frame()
    raw.ravel()[::500] = 32768
    (found,) = failed(raw)
    assert found == ("fixed_value", pytest.approx(0.002, rel=0.02))
    raw.ravel()[::500] = 32767
    assert failed(raw) == []
    assert failed(frame(sky=31768.0), background_max_adu=1e5, fixed_values=(32768.0,)) == []  # a sky at this level
    assert failed(frame().astype(np.float32) * 0, fixed_values=(0.0,))[0][0] == "empty"  # floats: detrended elsewhere


@pytest.mark.parametrize("kind", ["u1", "u2", "i2", "i4"])
@pytest.mark.parametrize("wanted", [0, 1, 255, 32767, 32768, 65535])
def test_a_value_and_its_neighbors_are_counted_at_the_ends_of_the_numbers_too(kind: str, wanted: int) -> None:
    limits = np.iinfo(kind)
    around = [one for one in range(wanted - 3, wanted + 4) if limits.min <= one <= limits.max]
    ends = [limits.min, limits.min + 1, limits.max - 1, limits.max]
    raw = np.random.default_rng(3).choice(np.array(around + ends, kind), (150, 31))
    before, here, after = (
        [int(np.count_nonzero(raw == one)) for one in some]
        for some in (range(max(wanted - 2, 0), wanted), [wanted], (wanted + 1, wanted + 2))
    )
    assert vet._near(raw, wanted) == (before, *here, after)


@pytest.mark.parametrize(("apart", "is_bad"), [(0, False), (20, False), (70, True), (150, True), (400, False)])
def test_two_humps_are_electronic_noise(apart: int, is_bad: bool) -> None:
    raw = frame(n_star=20)
    amp = CCD.amplifiers[1].raw_box
    rows = np.random.default_rng(2).random(1024) < 0.4
    raw[amp.slices][rows] += apart
    found = failed(raw)
    assert [name for name, _ in found] == ["histogram"] * is_bad
    if is_bad:
        assert found[0][1] == pytest.approx(apart, abs=10)


def test_noise_on_the_flat_top_of_a_gradient_makes_no_humps() -> None:
    rng = np.random.default_rng(6)
    for n_pixel in (1000, 5000, 60000):
        tilted = [rng.uniform(400, 600, n_pixel) + rng.normal(0, 8, n_pixel) for _ in range(20)]
        assert [vet.humps(one, vet.Limits()) for one in tilted] == [0.0] * 20


def test_gradients_and_bright_stars_are_no_humps() -> None:
    raw = frame(n_star=1500).astype(float)
    raw[:, :512] += np.linspace(0, 300, 512)
    raw[300:700, 500:900] += 3000 * np.exp(-((np.mgrid[:400, :400] - 200) ** 2).sum(0) / 1e4)
    assert failed(raw.astype(np.uint16)) == []


def test_trails_and_blurs_are_refused_but_not_the_halo_of_one_star() -> None:
    raw = frame().astype(float)
    trailed = sum(np.roll(raw, n, 0) for n in range(60)) / 60
    (found,) = failed(trailed.astype(np.uint16))
    assert found[0] == "acf"
    assert found[1] > 12.0
    assert [name for name, _ in failed(frame(fwhm=22.0))] == ["acf"]
    y, x = np.mgrid[:1048, :1072]
    raw += 3e4 / (1 + ((x - 500) ** 2 + (y - 520) ** 2) / 900.0)
    raw[:, 498:502] = 60000
    assert failed(np.minimum(raw, 65535).astype(np.uint16)) == []


def test_dead_and_unlit_parts_do_not_count() -> None:
    raw = frame(sky=1000.0)
    amp = CCD.amplifiers[0]
    raw[amp.raw_box.slices] = 60000  # dead, and so is its overscan
    raw[amp.overscan.slices] = 3
    assert "high_pixels" in dict(failed(raw))
    assert failed(raw, boxes=(amp.box,)) == []
    dim = replace(CAMERA, vignette=(CCD.u_pix, CCD.v_pix, 300.0))
    raw = frame(sky=1000.0)
    dark = np.hypot(*(np.mgrid[:1024, :1024] - 511.5)) > 300.0
    for one in CCD.amplifiers:
        raw[one.raw_box.slices][dark[one.box.slices]] = 1000 + 40 * one.amp
    level = {one.name: one.found for one in vet.checks(raw, CCD, dim)}["background"]
    assert level == pytest.approx(1100.0, rel=0.12)
    assert list(vet.checks(raw, CCD, replace(dim, vignette=(1e5, 1e5, 10.0)))) == []
