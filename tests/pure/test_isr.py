"""Interpolation over bad pixels, the statistics of the sky, and the header of a clean frame."""

from typing import Any

import numpy as np
import pytest
import rawfile
from astropy.time import Time

from hscdb.camera.load import load, shipped
from hscdb.image.mask import BAD, INTRP, NO_DATA, SAT, SUSPECT, UNMASKEDNAN
from hscdb.image.plane import Image
from hscdb.isr import amplifier, interpolate, sky
from hscdb.isr.cards import cards

LEVEL, VARIANCE = 300.0, 350.0


def star(sigma: float = 2.5, shape: tuple[int, int] = (61, 81), x0: float = 40.3, y0: float = 30.2) -> np.ndarray:
    y, x = np.mgrid[: shape[0], : shape[1]]
    return (LEVEL + 5000 * np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * sigma**2))).astype(np.float32)


def filled(image: np.ndarray, mask: np.ndarray, **more: int) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
    image = np.where(mask & UNMASKEDNAN, np.nan, image).astype(np.float32)
    variance = np.where(mask & UNMASKEDNAN, np.nan, VARIANCE).astype(np.float32)
    numbers = interpolate.fill(image, variance, mask, 2.5, LEVEL, VARIANCE, **more)
    assert np.isfinite(image).all()
    assert np.isfinite(variance).all()
    assert (variance >= 0).all()
    return image, variance, numbers


def test_weights_sum_to_one_and_keep_a_constant() -> None:
    table = interpolate.weights(2.5)
    for n in range(1, interpolate.N_SHORT + 1):
        np.testing.assert_allclose(table[n, :n].sum(1), 1.0)
        assert (table[n] ** 2).sum(1).max() <= 1.25**2
        np.testing.assert_allclose(table[n, :n], table[n, n - 1 :: -1][:n, ::-1])  # from either side alike


@pytest.mark.parametrize(("n_column", "tolerance"), [(1, 0.012), (2, 0.03), (3, 0.14)])
def test_a_star_cut_by_bad_columns_is_restored(n_column: int, tolerance: float) -> None:
    truth, mask = star(), np.zeros((61, 81), np.int32)
    mask[:, 40 : 40 + n_column] = BAD
    broken = np.where(mask, -1e4, truth).astype(np.float32)
    image, _, numbers = filled(broken, mask)
    assert np.abs(image - truth).max() < tolerance * 5000
    # a straight line between the neighbours misses the core by far more
    line = 0.5 * (truth[:, 39] + truth[:, 40 + n_column])
    assert np.abs(image[:, 40] - truth[:, 40]).max() < 0.5 * np.abs(line - truth[:, 40]).max()
    assert numbers == (61 * n_column, 0)
    assert (mask[:, 40 : 40 + n_column] == BAD | INTRP).all()
    assert not mask[:, :40].any()


def test_noise_is_not_amplified() -> None:
    rng = np.random.default_rng(1)
    image, mask = rng.normal(LEVEL, 18, (400, 200)).astype(np.float32), np.zeros((400, 200), np.int32)
    struck = np.s_[:, 20 + 20 * (np.arange(8)[:, None]) + np.arange(5)]
    mask[struck] = BAD
    out, _, _ = filled(image, mask)
    assert out[struck].std() < 1.3 * 18
    assert out[struck].mean() == pytest.approx(LEVEL, abs=1.0)


def test_long_runs_are_bridged_only_when_saturated() -> None:
    image, mask = star(), np.zeros((61, 81), np.int32)
    mask[10, 20:40], mask[12, 5:75], mask[14, 5:75], mask[14, 30] = BAD, BAD, BAD, BAD | SAT
    ramp = np.broadcast_to(np.arange(81, dtype=np.float32), (61, 81)).copy()
    out, _, numbers = filled(ramp, mask, reach_pix=30)
    np.testing.assert_allclose(out[10], np.arange(81), atol=1e-3)
    np.testing.assert_allclose(out[14], np.arange(81), atol=1e-3)
    assert (out[12, 5:75] == LEVEL).all()
    assert (mask[12, 5:75] == BAD).all()
    assert numbers == (20 + 70, 70)
    assert image.shape == out.shape


def test_edges_vignetting_and_nan_end_finite() -> None:
    image, mask = np.full((20, 60), 500, np.float32), np.zeros((20, 60), np.int32)
    mask[0, :3], mask[1, :17], mask[2, 58:], mask[3] = BAD, BAD, UNMASKEDNAN, BAD
    mask[4, 50:], mask[5, 46:50], mask[5, 50:], mask[6, 10] = NO_DATA, SAT, NO_DATA, SUSPECT
    image[4, 50:] = np.inf
    out, _, _ = filled(image, mask)
    assert (out[0, :3] == 500).all()
    assert (out[1, :17] == LEVEL).all()
    assert (out[2, 58:] == 500).all()
    assert (out[3] == LEVEL).all()
    assert (out[4, 50:] == LEVEL).all()
    assert (out[5, 46:50] == 500).all()
    assert (mask[4, 50:] == NO_DATA).all()
    assert mask[6, 10] == SUSPECT
    assert (mask[2, 58:] == UNMASKEDNAN | INTRP).all()


def test_sky_is_the_median_and_not_moved_by_stars() -> None:
    rng = np.random.default_rng(2)
    ny, nx = 1100, 1030
    tilt = 1 + 0.02 * (np.arange(nx) - nx / 2) / nx
    image = rng.normal(1000, 30, (ny, nx)) * tilt
    for _ in range(200):
        y, x = rng.integers(0, ny - 12), rng.integers(0, nx - 12)
        image[y : y + 12, x : x + 12] += rng.exponential(5000)
    mask = np.zeros((ny, nx), np.int32)
    mask[:, :100], image[:, :100] = BAD, 1e6
    found = sky.measure(image.astype(np.float32), mask)
    assert found.level == pytest.approx(1001, abs=2)
    assert found.sigma == pytest.approx(30.5, rel=0.04)
    assert (found.n_x, found.n_y) == (4, 4)
    assert found.flatness_pp == pytest.approx(0.02 * (1024 - 256) / nx, rel=0.15)
    assert found.flatness_rms == pytest.approx(0.0055, rel=0.2)


def test_a_frame_without_usable_pixels_has_no_sky() -> None:
    found = sky.measure(np.ones((300, 300), np.float32), np.full((300, 300), SAT))
    assert np.isnan([found.level, found.sigma, found.flatness_pp, found.flatness_rms]).all()


def test_counts_are_of_bits() -> None:
    mask = np.zeros((7, 9), np.int32)
    mask[0, :4], mask[0, 2:6], mask[3] = SAT, SAT | BAD, NO_DATA
    assert sky.count(mask) == (6, 4, 9)


@pytest.mark.parametrize(
    ("levels", "dead"),
    [
        ((500.0, 480.0, 520.0, 510.0), set()),
        ((500.0, 2.0, 520.0, 510.0), {1}),
        ((500.0, 2.0, -1.0, 510.0), {1, 2}),
        ((1.0, 2.0, -1.0, 510.0), {0, 1, 2}),
        ((3.0, 0.0, 1.0, 2.0), set()),  # a sky that was subtracted, or none at all
        ((900.0, 330.0, 800.0, 700.0), set()),  # a nebula
    ],
)
def test_an_amplifier_without_sky_is_dead(levels: tuple[float, ...], dead: set[int]) -> None:
    ccd = load("hsc").ccds[50]
    rng = np.random.default_rng(4)
    image = Image(rng.normal(0, 20, (4176, 2048)).astype(np.float32), np.ones((4176, 2048), np.float32),
                  np.zeros((4176, 2048), np.int32))  # fmt: skip
    for amp, level in zip(ccd.amplifiers, levels, strict=True):
        image.data[amp.box.slices] += level
    assert amplifier.silent(image, ccd, 0.3) == dead
    assert amplifier.silent(image, ccd, 0.0) == set()
    image.mask[ccd.amplifiers[1].box.slices] = NO_DATA
    assert amplifier.silent(image, ccd, 0.3) == dead - {1}


def header_of(change: dict[str, Any], **more: bool) -> dict[str, Any]:
    camera = load("hsc")
    facts = {
        "exposure_s": 30.0, "dark_s": 30.0, "filter": "HSC-R", "obs_mjd": 56598.2616, "ra": 320.7, "dec": 0.5,
        "rotator_deg": 0.0, "airmass": 1.12,
    } | change  # fmt: skip
    weather = {"AZIMUTH": 226.7, "ALTITUDE": 63.0, "OUT-TMP": "272.35", "OUT-PRS": 621.7, "OUT-HUM": "#"}
    level = sky.Sky(300.0, 18.0, 0.02, 0.01, 8, 16)
    listed = cards(camera, camera.ccds[50], rawfile.HSC | weather, 904024, facts, level, 1, 2, **more)
    assert len({card[0] for card in listed if card[0] not in rawfile.HSC}) == len(
        [card for card in listed if card[0] not in rawfile.HSC]
    )
    return {card[0]: card[1] for card in listed}


def test_a_clean_frame_tells_what_hscpipes_visit_info_did() -> None:
    header = header_of({})
    assert (header["EXPINFO_V"], header["ROTTYPE"], header["DETSER"]) == (0, "SKY", 50)
    assert Time(header["DATE-AVG"], scale="tai").mjd == pytest.approx(header["MJD-AVG"], abs=1e-9)
    assert (header["OBS-LONG"], header["OBS-LAT"], header["OBS-ELEV"]) == (-155.476667, 19.825556, 4139.0)
    assert header["BORE-AZ"] == 46.7  # the raw header counts from the south
    assert header["BORE-ALT"] == 63.0
    assert header["AIRTEMP"] == -0.8
    assert header["AIRPRESS"] == 62170.0
    assert "HUMIDITY" not in header
    assert header["OBJECT"] == "SSP-Wide"
    for mjd in (float("nan"), float("inf"), 1e12, -1e6):
        assert "DATE-AVG" not in header_of({"obs_mjd": mjd})
    assert header_of({"obs_mjd": -678000.0})["DATE-AVG"] == "0002-07-30T00:00:00.000000"


def test_before_there_are_stars_the_zero_point_is_the_cameras() -> None:
    header = header_of({})
    assert header["FLUXMAG0"] == pytest.approx(30.0 * 10 ** (0.4 * 28.48))
    assert header["FLUXMAG0ERR"] == pytest.approx(0.2 * header["FLUXMAG0"])
    # nobody has told how sensitive the camera is through NB0527
    unknown = [header_of(change) for change in ({"exposure_s": 0.0}, {"filter": None}, {"filter": "NB0527"})]
    for one in (*unknown, header_of({}, do_rough_zero_point=False)):
        assert "FLUXMAG0" not in one


@pytest.mark.parametrize("name", shipped())
def test_what_cards_of_a_visit_mean_fits_beside_a_number(name: str) -> None:
    rules = load(name).settings.get("visit_info", {})
    assert all(len(rule["text"]) <= 80 - 30 - 3 for rule in rules.values())
    assert rules or name not in ("hsc", "toy")
