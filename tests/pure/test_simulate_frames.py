"""The simulated files: their format, their truth, and what the detector did, on the toy camera."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import fftconvolve

from hscdb.camera import focalplane, load
from hscdb.errors import ConfigError
from hscdb.fits import header, raw, table
from hscdb.ingest import translate
from hscdb.simulate import electronics, exposure, frame, pixels
from hscdb.simulate.header import cards, file_name
from hscdb.simulate.optics import Optics
from hscdb.simulate.setup import Setup
from hscdb.simulate.write import simulate, write_frame

SETUP = Setup(
    camera="toy", ccds=(0, 3), n_visit=2, star_density=30.0, n_bias=2, n_dark=1, n_flat=2, cosmic_per_s=0.0,
    hot_fraction=0.0, defects=False, double_fraction=0.0, galaxy_density=0.1, dither_ccd=0.2,
)  # fmt: skip
CAMERA = load.load("toy")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sky")
    counts = simulate(out, SETUP)
    assert counts["n_raw"] == 4
    assert (counts["n_bias"], counts["n_dark"], counts["n_flat"]) == (4, 2, 4)
    return out


def frames(out: Path, kind: str, ccd: int) -> list[Path]:
    """Files of a kind and ccd, by their headers."""
    found = []
    for path in sorted(out.glob("*/*.fits")):
        facts = translate.translate(CAMERA, header.read_header(path))
        if (facts.data_type, facts.ccd) == (kind, ccd):
            found.append(path)
    return found


def electrons(path: Path, ccd_number: int) -> np.ndarray:
    """Trimmed image in electrons: mean overscan of each row block off, gain applied; nothing else undone."""
    ccd = CAMERA.ccds[ccd_number]
    adu = raw.read_raw(path, 0, ccd).astype(float)
    image = np.zeros((ccd.height, ccd.width))
    for amp in ccd.amplifiers:
        bias = np.median(adu[amp.overscan.slices], axis=1)
        smooth = np.polynomial.Polynomial.fit(np.arange(len(bias)), bias, 7)(np.arange(len(bias)))
        signal = adu[amp.raw_box.slices] - smooth[:, None]
        image[amp.box.slices] = signal * (1.0 + amp.linearity_c0 * signal) * amp.gain_e_per_adu
    return image


def test_headers_say_visit_ccd_filter_time_and_pointing(made: Path) -> None:
    truth = table.read_columns(made / "truth_visit.fits")
    for path in made.glob("*/*.fits"):
        facts = translate.translate(CAMERA, header.read_header(path))
        row = int(np.flatnonzero(truth["visit"] == facts.visit)[0])
        assert facts.data_type == truth["kind"][row]
        assert facts.filter == truth["filter"][row]
        assert facts.exposure_s == truth["exposure_s"][row]
        assert facts.obs_mjd == pytest.approx(truth["mjd_tai"][row], abs=2.0 / 86400.0)  # the shutter's travel
        assert facts.ra == pytest.approx(truth["ra"][row], abs=1e-5)
        assert facts.dec == pytest.approx(truth["dec"][row], abs=1e-5)
        number = int(path.name[4:10])
        assert number == facts.visit + int(CAMERA.ccds[facts.ccd].name[0])


def test_the_hsc_header_has_the_regions_and_numbers_of_a_real_one() -> None:
    camera = load.load("hsc")
    one = exposure.Exposure(904024, "science", "HSC-I", 56598.26106374757, 30.0, 320.749925, 0.500019444444)
    written = {key: content for key, content, _ in cards(Setup(is_old_exp_id=True), camera, one, camera.ccds[50])}
    real = {
        "EXP-ID": "HSCA90402400", "FRAMEID": "HSCA90402512", "DET-ID": 50, "T_BEEID": 1, "T_SDOID": 12,
        "UT-STR": "06:15:55.908", "LST-STR": "22:40:45.506", "RA2000": "21:22:59.982", "DEC2000": "+00:30:00.07",
        "FILTER01": "HSC-i", "DATE-OBS": "2013-11-02", "T_OSMN11": 521, "T_OSMX11": 536, "T_EFMN11": 9, "T_EFMX11": 520,
        "T_OSMN12": 4226, "T_OSMX12": 4241, "T_EFMN12": 50, "T_EFMX12": 4225, "T_OSMN21": 537, "T_EFMX21": 1064,
        "T_EFMN31": 1081, "T_OSMN31": 1593, "T_OSMX41": 1624, "T_EFMX41": 2136, "T_EFMX42": 4225,
    }  # fmt: skip
    real_lst = real.pop("LST-STR")
    assert {key: written[key] for key in real} == real
    assert str(written["LST-STR"])[:7] == real_lst[:7]  # to ten seconds: mean for apparent sidereal time
    assert written["CRPIX1"] == pytest.approx(1024.5, abs=10.0)
    assert written["CRPIX2"] == pytest.approx(4395.167, abs=30.0)  # the archive's scale is 1 percent off
    assert written["CD1_2"] == pytest.approx(4.72222222222222e-05, rel=1e-6)
    assert written["CD2_1"] == pytest.approx(-4.7222222222222e-05, rel=1e-6)
    assert file_name(camera, one, camera.ccds[50]) == "HSCA90402512.fits"
    later = replace(one, visit=1_904_024)
    assert file_name(camera, later, camera.ccds[50]) == "HSCB90402512.fits"


def place_and_light(image: np.ndarray, x: float, y: float) -> tuple[float, float, float]:
    """(dx, dy) of the light from (x, y) by Gaussian-weighted centroids, and the sum within 22 pix."""
    x0, y0 = round(x), round(y)
    stamp = image[y0 - 28 : y0 + 29, x0 - 28 : x0 + 29]
    row, column = np.mgrid[-28:29, -28:29]
    r = np.hypot(row, column)
    stamp = stamp - np.median(stamp[r > 24])
    dx, dy = x - x0, y - y0
    for _ in range(15):
        weight = stamp * np.exp(-((column - dx) ** 2 + (row - dy) ** 2) / 18.0) * (r < 12)
        dx += 1.5 * (weight * (column - dx)).sum() / weight.sum()
        dy += 1.5 * (weight * (row - dy)).sum() / weight.sum()
    return x0 + dx - x, y0 + dy - y, stamp[r < 22].sum()


def test_bright_stars_lie_and_shine_where_the_truth_says(made: Path) -> None:
    truth = table.read_columns(made / "truth_source.fits")
    found = []
    for ccd in (0, 3):
        for path in frames(made, "science", ccd):
            image = electrons(path, ccd)
            visit = translate.translate(CAMERA, header.read_header(path)).visit
            here = (truth["visit"] == visit) & (truth["ccd"] == ccd)
            x, y, flux = (truth[name][here] for name in ("x", "y", "flux_e"))
            inside = (np.abs(x - 255.5) < 225) & (np.abs(y - 255.5) < 225)
            good = (flux > 5e4) & (truth["peak_e"][here] < 8e4) & ~truth["is_galaxy"][here] & inside
            for i in np.flatnonzero(good):
                away = np.hypot(x - x[i], y - y[i])
                if not (flux[(away > 0) & (away < 32)] > 0.003 * flux[i]).any():
                    dx, dy, light = place_and_light(image, x[i], y[i])
                    found.append((dx, dy, light / flux[i]))
    dx, dy, ratio = np.array(found).T
    assert len(dx) >= 8
    # 5e4 electrons, FWHM 4 pix: 0.01 pix of photon noise; the scatter of the pixels' response does as much.
    for offset in (dx, dy):
        assert abs(np.median(offset)) < 0.012
        assert np.std(offset) < 0.03
    # Beyond 22 pix lies 0.1 percent of the profile; the sky is known to a few hundred electrons in the sum.
    assert np.median(ratio) == pytest.approx(1.0, abs=0.01)


def test_the_bias_level_and_read_noise_are_those_of_the_amplifiers(made: Path) -> None:
    for ccd in (0, 3):
        first, second = (raw.read_raw(path, 0, CAMERA.ccds[ccd]).astype(float) for path in frames(made, "bias", ccd))
        for amp in CAMERA.ccds[ccd].amplifiers:
            difference = (first - second)[amp.raw_box.slices]
            difference -= np.median(difference, axis=1, keepdims=True)
            noise = np.hypot(amp.read_noise_e / amp.gain_e_per_adu, np.sqrt(1.0 / 12.0))
            assert np.std(difference) / np.sqrt(2.0) == pytest.approx(noise, rel=0.01)
            assert first[amp.overscan.slices].mean() == pytest.approx(1000.0, abs=130.0)
            # Structure in the data, the same in both frames, and none in the overscan.
            columns = [np.median(one[amp.raw_box.slices], axis=0) for one in (first, second)]
            assert np.corrcoef(columns)[0, 1] > 0.5


def test_the_dark_frame_holds_the_dark_charge(made: Path) -> None:
    image = electrons(frames(made, "dark", 0)[0], 0)
    structure = electrons(frames(made, "bias", 0)[0], 0)
    assert (image - structure).mean() == pytest.approx(0.02 * 310.0, abs=0.6)


def test_flat_pairs_give_the_gain(made: Path) -> None:
    for ccd in (0, 3):
        first, second = (electrons(path, ccd) for path in frames(made, "flat", ccd))
        for amp in CAMERA.ccds[ccd].amplifiers:
            a, b = first[amp.box.slices], second[amp.box.slices]
            middle = np.s_[156:356, 28:228]
            a, b = a[middle], b[middle] * (a[middle].mean() / b[middle].mean())
            variance = np.var((a - b) - _plane(a - b)) / 2.0
            assert variance == pytest.approx(a.mean(), rel=0.04)


def _plane(image: np.ndarray) -> np.ndarray:
    row, column = (axis.ravel() - axis.mean() for axis in np.indices(image.shape))
    basis = np.stack([np.ones_like(row), row, column], axis=1)
    return (basis @ np.linalg.lstsq(basis, image.ravel(), rcond=None)[0]).reshape(image.shape)


@pytest.mark.parametrize(("name", "number"), [("toy", 0), ("hsc", 37)])
def test_a_flat_fielded_sky_has_the_inverse_of_the_lamps_pattern(name: str, number: int) -> None:
    camera = load.load(name)
    setup = replace(SETUP, camera=name, n_flat=1)
    optics, ccd = Optics(setup, camera), camera.ccds[number]
    planned = exposure.exposures(setup, camera)
    sky = frame.sky_light(setup, camera, ccd, planned[0])[::32, ::32]
    flat = frame.flat_light(setup, camera, ccd, planned[-1])[::32, ::32]
    y, x = np.indices(sky.shape) * 32
    u, v = focalplane.pixel_to_focal(ccd, x, y)
    lit = optics.is_lit(u, v)
    assert np.array_equal(flat > 0.0, lit)
    basis = np.stack([np.ones(lit.sum()), u[lit], v[lit]], axis=1)
    # Vignetting and pixel areas are gone; a gradient of the sky and the lamp's pattern are left.
    for pattern, is_flat in ((optics.illumination(u, v)[lit], True), (1.0, False)):
        left = sky[lit] / flat[lit] * pattern
        residual = left - basis @ np.linalg.lstsq(basis, left, rcond=None)[0]
        assert (np.abs(residual / left.mean()).max() < 2e-5) == is_flat
    shape = optics.vignetting(u, v)[lit] * optics.pixel_area(u, v)[lit]
    assert np.ptp(flat[lit] / shape) < 0.05 * np.mean(flat[lit] / shape)
    assert np.ptp(shape) > 0.1


def test_the_files_do_not_depend_on_the_processes(made: Path, tmp_path: Path) -> None:
    small = replace(SETUP, ccds=(3,), n_visit=1, n_bias=0, n_dark=0, n_flat=1)
    simulate(tmp_path / "one", small)
    simulate(tmp_path / "two", small, jobs=2)
    names = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.fits"))
    assert len(names) == 2 + 6
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name
    # and another seed gives another sky
    other = replace(small, seed=2)
    one, two = (exposure.exposures(setup, CAMERA)[0] for setup in (small, other))
    assert not np.array_equal(frame.make(small, one, 3)[0], frame.make(other, two, 3)[0])


def test_a_plain_camera_numbers_its_visits_by_time(tmp_path: Path) -> None:
    setup = Setup(camera="single", n_visit=1, n_bias=0, n_dark=0, n_flat=0)
    camera = load.load("single")
    one = exposure.exposures(setup, camera)[0]
    (tmp_path / "raw").mkdir()
    write_frame(tmp_path, setup, one, 0)
    (path,) = (tmp_path / "raw").iterdir()
    facts = translate.translate(camera, header.read_header(path))
    assert (facts.visit, facts.ccd, facts.data_type, facts.filter) == (one.visit, 0, "science", "R")
    assert facts.ra == pytest.approx(one.ra, abs=1e-5)


def test_wrong_choices_are_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="has no filter 'HSC-Q'"):
        exposure.exposures(Setup(camera="toy", filters=("HSC-Q",)), CAMERA)
    with pytest.raises(ConfigError, match=r"has no ccd \[9\]"):
        simulate(Path("nowhere"), Setup(camera="toy", ccds=(9,)))
    with pytest.raises(ConfigError, match="outside -90"):
        Setup(dec=91.0)


def test_bleeding_keeps_the_charge_and_the_well() -> None:
    image = np.full((60, 4), 10.0, np.float32)
    image[30, 1], image[31, 1] = 5000.0, 3000.0
    image[0, 2] = 2500.0
    before = image.sum(axis=0)
    assert pixels.bleed(image, np.array([1000.0], np.float32), np.zeros(4, np.int64)) == 2
    assert image.max() <= 1000.0
    assert image[:, 1].sum() == pytest.approx(before[1], rel=1e-5)
    full = np.flatnonzero(image[:, 1] > 900)
    assert full.min() < 30
    assert full.max() > 31
    assert np.array_equal(np.diff(full), np.ones(len(full) - 1))


def test_crosstalk_and_linearity_are_the_inverse_of_their_correction() -> None:
    random = np.random.default_rng(3)
    true = random.uniform(0.0, 9e4, (3, 16)).astype(np.float32)
    gain = np.array([3.0, 3.5], np.float32)
    matrix = np.array([[0.0, -1.2e-2], [3e-2, 0.0]], np.float32)
    c0 = np.array([3e-7, -2e-7], np.float32)
    seen = true.copy()
    pixels.to_adu(seen, np.array([0, 8]), 8, np.array([False, True]), gain, matrix, np.float32(100.0), c0)
    linear = seen.astype(float)
    for a, box in enumerate((np.s_[:, :8], np.s_[:, 8:])):
        linear[box] *= 1.0 + c0[a] * linear[box]
    adu = np.concatenate([true[:, :8] / gain[0], true[:, 8:] / gain[1]], axis=1)
    # The second amplifier is read from the right: its columns count backwards.
    assert linear[:, :8] == pytest.approx(adu[:, :8] + matrix[0, 1] * (adu[:, :7:-1] - 100.0), rel=1e-5)
    assert linear[:, 8:] == pytest.approx(adu[:, 8:] + matrix[1, 0] * (adu[:, 7::-1] - 100.0), rel=1e-5)


def test_charge_repulsion_is_undone_by_its_correction() -> None:
    kernel = load.load("hsc").brighter_fatter
    y, x = np.mgrid[:64, :64] - 32.0
    true = (1e5 * np.exp(-(x * x + y * y) / 12.0) + 500.0).astype(np.float32)
    seen = true.copy()
    electronics.repel(seen, kernel)
    assert seen[32, 32] < 0.99 * true[32, 32]
    gy, gx = np.gradient(fftconvolve(seen, kernel, mode="same"))
    back = seen + 0.5 * (np.gradient(seen * gy, axis=0) + np.gradient(seen * gx, axis=1))
    inner = np.s_[10:-10, 10:-10]
    assert np.abs(back - true)[inner].max() < 0.2 * np.abs(seen - true)[inner].max()


def test_rows_of_the_crosstalk_matrix_are_the_struck_amplifiers() -> None:
    camera = replace(CAMERA, crosstalk=np.array([[0.0, 0.0], [-0.01, 0.0]]))  # the first strikes the second
    ccd = camera.ccds[0]
    one = exposure.Exposure(2, "bias", "HSC-R", 56598.0, 0.0, 0.0, 0.0)
    ghosts = []
    for source, struck in ((0, 1), (1, 0)):
        light = np.zeros((512, 512), np.float32)
        light[200:300, ccd.amplifiers[source].box.slices[1]] = 60000.0
        frame_adu = electronics.read_out(SETUP, camera, ccd, one, light, 0.0)[:, ::-1].astype(float)
        amp = ccd.amplifiers[struck].raw_box
        rows = frame_adu[amp.slices]
        ghosts.append(rows[200:300].mean() - np.concatenate([rows[150:195], rows[305:350]]).mean())
    assert ghosts[0] == pytest.approx(-0.01 * 60000.0 / ccd.amplifiers[0].gain_e_per_adu, rel=0.05)
    assert abs(ghosts[1]) < 5.0


@pytest.mark.parametrize("expected", [0.7, 12.0, 400.0])
def test_photons_arrive_with_poisson_noise(expected: float) -> None:
    image = np.full((400, 500), expected, np.float32)
    seed = np.uint64(12345)
    pixels.expose(image, seed, seed, np.float32(0.0), np.float32(0.0), 0.0, 0.0, pixels.NORMAL)
    n = image.size
    assert image.mean() == pytest.approx(expected, abs=4.0 * np.sqrt(expected / n))
    assert image.var() == pytest.approx(expected, rel=4.0 * np.sqrt((2.0 + 1.0 / expected) / n))
    # neighbours know nothing of each other
    assert abs(np.corrcoef(image[:, 1:].ravel(), image[:, :-1].ravel())[0, 1]) < 4.0 / np.sqrt(n)
