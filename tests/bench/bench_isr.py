"""Cost of isr's pixels on one full CCD of Hyper Suprime-Cam, and of its files, over that of copying a float32 plane.

    python tests/bench/bench_isr.py [--json] [--repeat 5]

CPU seconds, best of n after a warm-up (numba's compilation is told apart). The floor is numpy's copy of one plane
(2048 x 4176 float32, 34 MB) into memory that is mapped already. Goal: pixel work <= 0.7 CPU s.
"""

import argparse
import hashlib
import json
import platform
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from hscdb.camera.load import load
from hscdb.fits import product
from hscdb.image import pattern
from hscdb.image.plane import Image
from hscdb.image.readout import defects, frame, saturation
from hscdb.image.readout.frame import Steps
from hscdb.isr import brighter_fatter, interpolate, sky, vet


def scene() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Raw frame with 300 saturated stars and 2000 others, and masters of bias [adu], dark [e/s] and flat."""
    rng = np.random.default_rng(1)
    raw = rng.normal(2000, 20, (4241, 2144)).astype(np.uint16)
    for x, y in zip(rng.integers(0, 2100, 300), rng.integers(0, 4150, 300), strict=True):
        raw[y : y + 60, x : x + 8] = 60000
    y, x = np.mgrid[-15:16, -15:16]
    profile = (1.0 + (x * x + y * y) / 10.0) ** -3
    for u, v, peak in zip(
        rng.integers(20, 2120, 2000), rng.integers(20, 4220, 2000), 10 ** rng.uniform(1.5, 4.5, 2000), strict=True
    ):
        part = np.s_[v - 15 : v + 16, u - 15 : u + 16]
        raw[part] = np.minimum(raw[part] + (peak * profile).astype(np.uint16), 60000)
    shape = (4176, 2048)
    bias, dark = rng.normal(0, 0.5, shape).astype(np.float32), np.full(shape, 0.02, np.float32)
    return raw, bias, dark, rng.normal(1, 0.01, shape).astype(np.float32)


def best(function: Callable[[], object], repeat: int) -> float:
    """Least CPU seconds of some calls."""
    spent = []
    for _ in range(repeat):
        begin = time.process_time()
        function()
        spent.append(time.process_time() - begin)
    return min(spent)


def isr(number: int, planes: tuple[np.ndarray, ...], timings: dict[str, float] | None = None) -> Image:
    """Everything isr does to pixels."""
    clock = time.process_time()

    def lap(name: str) -> None:
        nonlocal clock
        now = time.process_time()
        if timings is not None:
            timings[name] = min(timings.get(name, np.inf), now - clock)
        clock = now

    raw, bias, dark, flat = planes
    camera = load("hsc") if not CAMERA else CAMERA[0]
    CAMERA[:] = [camera]
    ccd, steps = camera.ccds[number], Steps()
    clock = time.process_time()
    boxes = camera.defects_on(number, "2016-01-01")
    list(vet.checks(raw, ccd, camera, boxes))
    lap("checks")
    adu = frame.to_adu(raw, ccd, steps, bias, defects.bad_amplifiers(ccd, boxes))
    lap("raw_to_adu")
    defects.mark(adu.mask, boxes)
    defects.mark_unlit(adu.mask, camera, ccd)
    lap("defects")
    image = frame.to_electrons(adu, camera, ccd, steps, dark, 200.0, flat)
    lap("adu_to_electrons")
    saturation.spread(image.mask)
    lap("saturation")
    level = sky.measure(image.data, image.mask)
    lap("sky")
    interpolate.fill(image.data, image.variance, image.mask, 2.53, level.level, level.sigma**2)
    sky.count(image.mask)
    lap("interpolation")
    brighter_fatter.correct(
        image.data, image.mask, camera.brighter_fatter, level.level, flat=flat, dark=dark, dark_s=200.0
    )
    lap("brighter_fatter")
    return image


CAMERA: list = []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    planes = scene()
    begin = time.process_time()
    isr(50, planes)
    first_s = time.process_time() - begin
    base_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    target = np.ones((4176, 2048), np.float32)
    floor_s = best(lambda: np.copyto(target, planes[1]), 20)
    results = []
    for number, what in ((50, "whole"), (0, "one dead amplifier, vignetted corner"), (9, "all dead, a third unlit"),
                         (100, "half unlit")):  # fmt: skip
        steps: dict[str, float] = {}
        cpu_s = best(lambda number=number, steps=steps: isr(number, planes, steps), arguments.repeat)
        results.append({"case": f"ccd {number}: {what}", "cpu_s": cpu_s, "over_copy": cpu_s / floor_s, **steps})
    image = isr(50, planes)
    fringes = (0.02 * np.cos(np.arange(2048) / 6.0) + np.zeros((4176, 1))).astype(np.float32)
    level = sky.measure(image.data, image.mask)
    cpu_s = best(
        lambda: pattern.subtract(
            image.data, fringes, pattern.amplitude(image.data, image.mask, fringes, level.level, level.sigma)[0]
        ),
        arguments.repeat,
    )
    results.append({"case": "fringes, where there are", "cpu_s": cpu_s, "over_copy": cpu_s / floor_s})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "image.fits")
        cards = [(f"KEY{n:05d}", n * 0.5, "a card of a raw header") for n in range(250)]

        def digest() -> str:
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()

        for case, function in (
            ("write the trio", lambda: product.write_image(path, image, cards)),
            ("sha256 of it", digest),
            ("read the trio", lambda: product.read_image(path)),
            (
                "update its headers",
                lambda: product.update_header(path, {0: {"FLUXMAG0": 1e12}, "IMAGE": {"CRVAL1": 1.0}}),
            ),
        ):
            cpu_s = best(function, arguments.repeat)
            results.append({"case": case, "cpu_s": cpu_s, "over_copy": cpu_s / floor_s})
    about = {
        "python": platform.python_version(), "numpy": np.__version__, "cpu": platform.processor() or platform.machine(),
        "copy_s": floor_s, "first_call_s": first_s, "peak_mb_isr": base_mb,
    }  # fmt: skip
    if arguments.json:
        for row in results:
            print(json.dumps(about | row))
        return
    print(about)
    for row in results:
        parts = "  ".join(
            f"{key} {value:.3f}" for key, value in row.items() if key not in ("case", "cpu_s", "over_copy")
        )
        print(f"{row['case']:<48}{row['cpu_s']:8.3f} CPU s {row['over_copy']:8.1f} copies   {parts}")


if __name__ == "__main__":
    main()
