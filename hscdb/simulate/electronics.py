"""One CCD as a detector: what its pixels, amplifiers and converters do to the light."""

from typing import Any

import numpy as np
from astropy.time import Time
from numpy.typing import NDArray

from hscdb.camera.model import Camera, Ccd, Defect
from hscdb.errors import ConfigError
from hscdb.simulate import cosmic, pixels
from hscdb.simulate.exposure import Exposure
from hscdb.simulate.setup import Setup, stream

Floats = NDArray[np.float64]
_STANDARD_AREA = 2048.0 * 4176.0


def read_out(
    setup: Setup, camera: Camera, ccd: Ccd, exposure: Exposure, light: NDArray[np.float32], open_s: float
) -> NDArray[np.uint16]:
    """The raw frame as it lies in the file (before the flip on read), (raw_height, raw_width).

    light : (height, width) expected electrons from light in the trimmed image; used up.
    open_s: time in which dark charge and cosmic rays came in.
    """
    _check(camera, ccd)
    random = stream(setup, "pixels", exposure.visit, ccd.ccd)
    seeds = random.integers(0, 2**63, 2, dtype=np.uint64)
    ccd_seed = stream(setup, "response", ccd.ccd).integers(0, 2**63, dtype=np.uint64)
    response = _defects(setup, camera, ccd, exposure)
    for box, factor, _ in response:
        light[box.slices] *= np.float32(factor)
    pixels.expose(
        light, ccd_seed, seeds[0], np.float32(setup.pixel_response), np.float32(setup.dark_e_per_s * open_s),
        setup.hot_fraction, 100.0 * open_s, pixels.NORMAL,
    )  # fmt: skip
    for box, factor, rate in response:
        if factor == 0.0:
            light[box.slices] = 0.0
        light[box.slices] += np.float32(rate * open_s)
    area = ccd.width * ccd.height / _STANDARD_AREA
    cosmic.add_cosmic_rays(light, stream(setup, "cosmic", exposure.visit, ccd.ccd), setup.cosmic_per_s * open_s * area)
    if setup.brighter_fatter and camera.brighter_fatter is not None:
        repel(light, camera.brighter_fatter)
    _to_adu(setup, camera, ccd, light)
    return _digitize(setup, ccd, exposure, light, seeds[1], random)


def _check(camera: Camera, ccd: Ccd) -> None:
    """The kernels know amplifiers of one size side by side."""
    boxes = [amp.box for amp in ccd.amplifiers]
    if len({(box.y0, box.width, box.height) for box in boxes}) != 1 or ccd.raw_width == 0:
        raise ConfigError(
            f"simulate: camera {camera.name} ccd {ccd.ccd} needs amplifiers of one size side by side and a raw size. "
            "Simulate another camera.",
            "unsupported_camera",
        )


def _defects(setup: Setup, camera: Camera, ccd: Ccd, exposure: Exposure) -> list[tuple[Any, float, float]]:
    """(box, response, electrons per second) of the defects of the list that holds at the time.

    Boxes of a tenth of an amplifier and more are dead, long ones at the edges only weak; of the narrow ones one in
    three is hot.
    """
    if not setup.defects:
        return []
    date = Time(exposure.start_mjd, format="mjd").isot[:10]
    own = [one for one in camera.defects if one.ccd == ccd.ccd and one.valid_start <= date]
    newest = max((one.valid_start for one in own), default="")
    random = stream(setup, "hot", ccd.ccd)
    found = []
    for one in own:
        if one.valid_start == newest:
            found.append((one.box, *_kind(one, ccd, random)))
    return found


def _kind(defect: Defect, ccd: Ccd, random: np.random.Generator) -> tuple[float, float]:
    box = defect.box
    weak, hot = float(random.uniform(0.1, 0.8)), bool(random.random() < 1.0 / 3.0) and min(box.width, box.height) <= 8
    if box.width * box.height >= 0.1 * ccd.amplifiers[0].box.width * ccd.height:
        return 0.0, 0.0
    touches = box.x0 == 0 or box.y0 == 0 or box.x0 + box.width == ccd.width or box.y0 + box.height == ccd.height
    if touches and max(box.width, box.height) > 200:
        return 0.5 + 0.5 * weak, 0.0
    return (weak, 0.0) if not hot else (1.0, 300.0 + 3000.0 * weak)


def repel(image: NDArray[np.float32], kernel: Floats) -> None:
    """Charge repulsion in place: I - div(I grad(K * I)) / 2, what leaves a pixel through an edge entering the next."""
    from scipy.signal import fftconvolve  # half a second to import

    half = kernel.shape[0] // 2
    pull = fftconvolve(np.pad(image, half, mode="edge"), kernel.astype(np.float32), mode="valid")
    quarter = np.float32(0.25)
    up = quarter * (image[1:] + image[:-1]) * np.diff(pull, axis=0)
    right = quarter * (image[:, 1:] + image[:, :-1]) * np.diff(pull, axis=1)
    image[:-1] -= up
    image[1:] += up
    image[:, :-1] -= right
    image[:, 1:] += right


def _to_adu(setup: Setup, camera: Camera, ccd: Ccd, light: NDArray[np.float32]) -> None:
    amps = ccd.amplifiers
    gain = np.array([amp.gain_e_per_adu for amp in amps], np.float32)
    saturation = np.array([amp.saturation_adu if np.isfinite(amp.saturation_adu) else 65535.0 for amp in amps])
    column_amp = np.zeros(ccd.width, np.int64)
    for number, amp in enumerate(amps):
        column_amp[amp.box.x0 : amp.box.x0 + amp.box.width] = number
    # The well is full where the raw number, bias included, is past the saturation level of the camera table.
    pixels.bleed(light, (saturation * gain).astype(np.float32), column_amp)
    matrix = np.zeros((len(amps), len(amps)), np.float32)
    if setup.crosstalk and camera.crosstalk is not None:
        matrix[:] = camera.crosstalk
    sample = light[8::16, 8::16]
    level = float(np.median(sample / gain[column_amp[8::16]][None, :]))
    linearity = np.array([amp.linearity_c0 * setup.nonlinearity for amp in amps], np.float32)
    x0 = np.array([amp.box.x0 for amp in amps])
    mirrored = np.array([amp.is_mirrored for amp in amps])
    pixels.to_adu(light, x0, amps[0].box.width, mirrored, gain, matrix, np.float32(level), linearity)


def _digitize(
    setup: Setup, ccd: Ccd, exposure: Exposure, adu: NDArray[np.float32], seed: np.uint64, random: np.random.Generator
) -> NDArray[np.uint16]:
    n_y, n_x, amps = ccd.raw_height, ccd.raw_width, ccd.amplifiers
    image_x, image_y = np.full(n_x, -1), np.full(n_y, -1)
    column = np.arange(n_x)
    away = np.empty((len(amps), n_x))
    for number, amp in enumerate(amps):
        image_x[amp.raw_box.slices[1]] = amp.box.x0 + np.arange(amp.box.width)
        image_y[amp.raw_box.slices[0]] = amp.box.y0 + np.arange(amp.box.height)
        boxes = [box for box in (amp.raw_box, amp.overscan) if box is not None]
        first, last = min(box.x0 for box in boxes), max(box.x0 + box.width - 1 for box in boxes)
        away[number] = np.maximum(np.maximum(first - column, column - last), 0)
    column_amp = np.argmin(away, axis=0)
    fixed = stream(setup, "bias", ccd.ccd)
    level = (setup.bias_adu * (1.0 + 0.03 * fixed.normal(size=len(amps))))[column_amp]
    # Structure that every frame has: single columns, and a ramp over the first columns of an amplifier.
    structure = 0.4 * fixed.normal(size=n_x)
    for amp in amps:
        ramp = 3.0 * np.exp(-np.arange(amp.raw_box.width) / 60.0)
        structure[amp.raw_box.slices[1]] += ramp[::-1] if amp.is_mirrored else ramp
    level = level + np.where(image_x >= 0, structure, 0.0)
    drift = np.stack([_drift(setup, random, n_y) for _ in amps])
    noise = np.array([amp.read_noise_e / amp.gain_e_per_adu for amp in amps], np.float32)
    raw = np.empty((n_y, n_x), np.uint16)
    pixels.digitize(
        raw, adu, image_x, image_y, level.astype(np.float32), drift.astype(np.float32), column_amp, noise, seed,
        pixels.NORMAL,
    )  # fmt: skip
    turn = {"": (1, 1), "LR": (1, -1), "TB": (-1, 1), "LRTB": (-1, -1)}[ccd.flip]
    return raw[:: turn[0], :: turn[1]]


def _drift(setup: Setup, random: np.random.Generator, n_y: int) -> Floats:
    """Change of the bias of an amplifier along the rows of one frame: an offset, a settling at the start, waves."""
    offset, settling, *heights = random.normal(0.0, setup.bias_drift_adu, 8)
    y = np.arange(n_y)
    waves = sum(0.3 * height / k * np.cos(np.pi * k * y / n_y) for k, height in enumerate(heights, 1))
    return np.asarray(offset + settling * np.exp(-y / 150.0) + waves)
