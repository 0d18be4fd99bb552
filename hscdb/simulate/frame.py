"""One frame: the light that falls on a CCD, read out."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hscdb.camera import focalplane, load
from hscdb.camera.model import Camera, Ccd
from hscdb.simulate import epoch, fringe, population, psf, render, truth
from hscdb.simulate.electronics import read_out
from hscdb.simulate.exposure import Exposure, ccd_truth, find_filter
from hscdb.simulate.optics import Optics
from hscdb.simulate.setup import Setup, stream

Floats = NDArray[np.float64]

# Brightness of the night sky by band [AB mag per square arcsec]: what gives HSC's usual counts (2.8, 6.3, 13, 11 and
# 22 ADU per second and pixel in g r i z y) at its zero points.
SKY_MAG = {"g": 22.1, "r": 21.3, "i": 20.4, "z": 19.6, "y": 18.5}
READ_OUT_S = 20.0  # dark charge and cosmic rays come in during the readout too
_MARGIN_PIX = 150.0  # stars so far outside still send light onto the CCD
_MIN_FWHM_PIX = 2.5  # the profile is that behind the pixel: never much sharper than two pixels


@lru_cache(maxsize=2)
def camera_of(setup: Setup) -> Camera:
    """The camera of a setup; read once per process."""
    return load.load(setup.camera)


def make(setup: Setup, exposure: Exposure, ccd_number: int) -> tuple[NDArray[np.uint16], NDArray[np.void]]:
    """(raw frame as in the file, truth of its sources); the latter is empty but for science frames."""
    camera = camera_of(setup)
    ccd = camera.ccds[ccd_number]
    light = np.zeros((ccd.height, ccd.width), np.float32)
    sources = np.zeros(0, truth.SOURCE)
    if exposure.kind == "flat":
        light = flat_light(setup, camera, ccd, exposure)
    elif exposure.kind == "science":
        light = sky_light(setup, camera, ccd, exposure)
        sources = _add_objects(setup, camera, ccd, exposure, light)
        _cut_vignette(Optics(setup, camera), ccd, light)
    open_s = exposure.exposure_s + READ_OUT_S / 2.0 if exposure.kind in ("science", "dark") else 0.0
    return read_out(setup, camera, ccd, exposure, light, open_s), sources


def _smooth(ccd: Ccd, function: Callable[[Floats, Floats], Floats]) -> NDArray[np.float32]:
    """A smooth function of (u, v) on all pixels of a CCD: the Chebyshev series of degree 7 x 11 through its nodes."""
    nodes = [np.cos(np.pi * (np.arange(n) + 0.5) / n) for n in (8, 12)]
    x, y = ((node + 1.0) / 2.0 * (size - 1.0) for node, size in zip(nodes, (ccd.width, ccd.height), strict=True))
    u, v = focalplane.pixel_to_focal(ccd, *np.meshgrid(x, y))
    fit_x, fit_y = (np.linalg.inv(np.polynomial.chebyshev.chebvander(node, len(node) - 1)) for node in nodes)
    terms = fit_y @ function(u, v) @ fit_x.T
    full = [
        np.polynomial.chebyshev.chebvander(np.linspace(-1.0, 1.0, size), degree).astype(np.float32)
        for size, degree in ((ccd.width, 7), (ccd.height, 11))
    ]
    return np.asarray((full[1] @ terms.astype(np.float32)) @ full[0].T)


def _cut_vignette(optics: Optics, ccd: Ccd, light: NDArray[np.float32]) -> None:
    """No light outside of the lit circle, in place."""
    corners = focalplane.pixel_to_focal(ccd, [0, ccd.width, 0, ccd.width], [0, 0, ccd.height, ccd.height])
    if optics.is_lit(*corners).all():
        return
    for y in range(ccd.height):
        light[y, ~optics.is_lit(*focalplane.pixel_to_focal(ccd, np.arange(ccd.width), y))] = 0.0


def flat_light(setup: Setup, camera: Camera, ccd: Ccd, exposure: Exposure) -> NDArray[np.float32]:
    """Dome flat: the lamp's light through the same optics; lamps differ from frame to frame by some percent."""
    optics = Optics(setup, camera)
    level = setup.flat_e * ccd_truth(setup, ccd).efficiency * stream(setup, "visit", exposure.visit).uniform(0.97, 1.03)
    light = _smooth(
        ccd, lambda u, v: level * optics.vignetting(u, v) * optics.pixel_area(u, v) * optics.illumination(u, v)
    )
    _cut_vignette(optics, ccd, light)
    return light


def sky_e(setup: Setup, camera: Camera, exposure: Exposure) -> float:
    """Electrons of the night sky in a pixel at the field center."""
    chosen = find_filter(camera, exposure.filter)
    magnitude = SKY_MAG.get(chosen.ref_band or chosen.band, 21.3)
    rate = 10.0 ** (-0.4 * (magnitude - chosen.start_mag_1s)) * camera.pixel_scale_arcsec**2
    return float(setup.sky_scale * rate * exposure.exposure_s)


def sky_light(setup: Setup, camera: Camera, ccd: Ccd, exposure: Exposure) -> NDArray[np.float32]:
    """The sky: uniform per solid angle up to a gradient of some percent, hence proportional to the pixels' area."""
    optics = Optics(setup, camera)
    own = ccd_truth(setup, ccd)
    level = sky_e(setup, camera, exposure) * own.efficiency * own.sky_to_lamp
    random = stream(setup, "visit", exposure.visit, 1)
    slope_u, slope_v = random.normal(0.0, 0.015 / optics.radius_pix, 2)
    level *= random.uniform(0.85, 1.15)
    light = _smooth(
        ccd,
        lambda u, v: level * optics.vignetting(u, v) * optics.pixel_area(u, v) * (1.0 + slope_u * u + slope_v * v),
    )
    strength = fringe.strength(setup, camera, exposure)
    if strength:
        light *= 1.0 + np.float32(strength) * fringe.pattern(setup, ccd)
    return light


def _add_objects(
    setup: Setup, camera: Camera, ccd: Ccd, exposure: Exposure, light: NDArray[np.float32]
) -> NDArray[np.void]:
    """Put stars and galaxies onto `light`, in place; returns the truth of those whose centers lie on the CCD."""
    optics = Optics(setup, camera)
    chosen = find_filter(camera, exposure.filter)
    center = focalplane.pixel_to_sky(
        camera, ccd, exposure.ra_true, exposure.dec_true, exposure.pa_deg, (ccd.width - 1) / 2.0, (ccd.height - 1) / 2.0
    )
    half_pix = np.hypot(ccd.width, ccd.height) / 2.0 + _MARGIN_PIX
    objects = population.cone_objects(
        setup, float(center[0]), float(center[1]), half_pix * camera.pixel_scale_arcsec * 1.02 / 3600.0
    )
    ra, dec = epoch.apparent(objects, exposure.mjd_tai)
    x, y = optics.sky_to_pixel(exposure, ccd, ra, dec)
    near = (np.abs(x - ccd.width / 2) < ccd.width / 2 + _MARGIN_PIX) & (
        np.abs(y - ccd.height / 2) < ccd.height / 2 + _MARGIN_PIX
    )
    objects, ra, dec, x, y = objects[near], ra[near], dec[near], x[near], y[near]
    u, v = focalplane.pixel_to_focal(ccd, x, y)
    own = ccd_truth(setup, ccd)
    mag = truth.filter_mag(camera, chosen, objects) + epoch.variation(objects, exposure.mjd_tai)
    cloud = optics.cloud_mag(exposure, u, v)
    flux = exposure.exposure_s * 10.0 ** (-0.4 * (mag + cloud - chosen.start_mag_1s)) * own.efficiency * own.sky_to_lamp
    flux *= optics.vignetting(u, v) * optics.is_lit(u, v)
    fwhm = max(exposure.fwhm_arcsec / camera.pixel_scale_arcsec, _MIN_FWHM_PIX)
    shapes = psf.shapes(fwhm, exposure.psf, u / optics.radius_pix, v / optics.radius_pix, ccd.yaw_deg)
    limit = max(0.02 * np.sqrt(sky_e(setup, camera, exposure)), 0.02)
    seen = flux > 0.0
    star, galaxy = seen & ~objects["is_galaxy"], seen & objects["is_galaxy"]
    render.add_stars(light, x[star], y[star], flux[star], shapes[star], limit)
    ellipse = _ellipses(objects[galaxy], optics.jacobian(exposure, ccd))
    is_spheroid = objects["is_spheroid"][galaxy]
    render.add_galaxies(light, x[galaxy], y[galaxy], flux[galaxy], shapes[galaxy], ellipse, is_spheroid, limit)
    on = (x > -0.5) & (x < ccd.width - 0.5) & (y > -0.5) & (y < ccd.height - 0.5) & seen
    area = np.sqrt(np.linalg.det(shapes))
    rows = np.zeros(int(on.sum()), truth.SOURCE)
    columns = {
        "visit": exposure.visit, "ccd": ccd.ccd, "star_id": objects["star_id"], "x": x, "y": y, "ra": ra, "dec": dec,
        "flux_e": flux, "mag": mag, "peak_e": np.where(objects["is_galaxy"], np.nan, 2.0 * flux / np.pi / area),
        "fwhm_pix": 1.0196 * np.sqrt(area), "cloud_mag": cloud, "area_mag": -2.5 * np.log10(optics.pixel_area(u, v)),
        "illumination_mag": -2.5 * np.log10(optics.illumination(u, v)), "ccd_mag": -2.5 * np.log10(own.sky_to_lamp),
        "is_galaxy": objects["is_galaxy"], "is_variable": objects["is_variable"],
    }  # fmt: skip
    for name, column in columns.items():
        rows[name] = column[on] if isinstance(column, np.ndarray) else column
    return rows


def _ellipses(galaxies: NDArray[np.void], jacobian: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 2, 2) matrices of the half-light ellipses in pixels; angles run from north through east."""
    angle = np.radians(galaxies["angle_deg"])
    # Equal area: the geometric mean of the half axes is the half-light radius.
    long = galaxies["half_light_arcsec"] / np.sqrt(galaxies["axis_ratio"])
    short = galaxies["half_light_arcsec"] * np.sqrt(galaxies["axis_ratio"])
    axes = np.moveaxis(
        np.array([[long * np.sin(angle), short * np.cos(angle)], [long * np.cos(angle), -short * np.sin(angle)]]), -1, 0
    )
    turned = jacobian @ axes
    return np.asarray(turned @ np.swapaxes(turned, 1, 2))


def objects_of(setup: Setup, exposures: list[Exposure], ccds: list[int], margin_deg: float = 0.03) -> NDArray[np.void]:
    """All objects of the sky cells that any science frame touches, sorted by star_id."""
    camera = camera_of(setup)
    touched: set[tuple[int, int]] = set()
    for exposure in exposures:
        for number in ccds if exposure.kind == "science" else ():
            ccd = camera.ccds[number]
            ra, dec = focalplane.pixel_to_sky(
                camera, ccd, exposure.ra, exposure.dec, exposure.pa_deg, (ccd.width - 1) / 2.0, (ccd.height - 1) / 2.0
            )
            half = np.hypot(ccd.width, ccd.height) / 2.0 * camera.pixel_scale_arcsec / 3600.0
            touched.update(population.cells(float(ra), float(dec), half + margin_deg))
    parts = [population.cell_objects(setup, *cell) for cell in sorted(touched)]
    found = np.concatenate(parts) if parts else np.zeros(0, population.OBJECT)
    return found[np.argsort(found["star_id"])]
