"""A sky and a camera whose truth is known, and the detections, first calibrations and reference stars it leads to.

`build` makes a World: arrays and dictionaries that a test may change (plant an outlier, drop a CCD) before
joint_tables.load enters them into a repository. The forward mapping is written out here once more, with exact sines
and its own Chebyshev sums, so that it shares nothing with the code it judges but the camera's description.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev

from hscdb.camera import focalplane
from hscdb.camera.color import find_term
from hscdb.camera.load import load
from hscdb.sky import sphere
from hscdb.sky.wcs import Wcs

NJY = 3631e9
YEAR = 365.25
REF_MJD = 57388.5
FILTER = "HSC-R"
HSC_CCDS = (41, 42, 49, 50, 57, 58, 100, 102)
_AREA_STEP = 5.0

DETECTION = [("star", "i8"), ("visit", "i8"), ("ccd", "i4"), ("x", "f8"), ("y", "f8"), ("err", "f8"), ("flux", "f8"),
             ("flux_err", "f8"), ("ra", "f8"), ("dec", "f8"), ("first_mag0", "f8")]  # fmt: skip


@dataclass
class Visit:
    """Truth of one visit: pointing [deg], warp of the field (2, n, n) [pix], zero point and flux field [mag]."""

    visit: int
    mjd: float
    ra: float
    dec: float
    rotator: float
    warp: Any
    zero: float
    field: Any


@dataclass
class World:
    """Everything; ccd_terms {ccd: (du, dv [pix], turn [rad])}, ccd_mag {ccd: mag}, flux_field common to all visits."""

    camera: Any
    ccds: tuple[int, ...]
    scale: float
    visits: dict[int, Visit]
    ccd_terms: dict[int, Any]
    ccd_mag: dict[int, float]
    flux_field: Any
    star_ra: Any
    star_dec: Any
    pm: Any
    mag: Any
    color: Any
    is_reserved: Any
    has_ref: Any
    detections: Any
    wcs: dict[tuple[int, int], Wcs]
    mag0: dict[tuple[int, int], float]
    frames: list[tuple[int, int]]
    ref_mas: float = 0.2
    ref_mag_err: float = 0.005
    is_catalog: bool = False
    extra: dict[str, Any] = field(default_factory=dict)

    def place(self, star: Any, mjd: float) -> tuple[Any, Any]:
        """Where stars are at a time."""
        moved = self.pm[star] * (mjd - REF_MJD) / YEAR / 3.6e6
        return sphere.deproject(moved[:, 0], moved[:, 1], self.star_ra[star], self.star_dec[star])

    def to_sky(self, visit: int, ccd: int, x: Any, y: Any) -> tuple[Any, Any]:
        """The true direction of pixels."""
        chip, terms = self.camera.ccds[ccd], self.ccd_terms[ccd]
        u, v = focalplane.pixel_to_focal(chip, x, y)
        c, s = np.cos(terms[2]), np.sin(terms[2])
        du, dv = u - chip.u_pix, v - chip.v_pix
        return self._field_to_sky(
            visit, chip.u_pix + terms[0] + c * du - s * dv, chip.v_pix + terms[1] + s * du + c * dv
        )

    def _field_to_sky(self, visit: int, u: Any, v: Any) -> tuple[Any, Any]:
        one, arcsec = self.visits[visit], self.camera.pixel_scale_arcsec
        fx, fy = (f / arcsec for f in focalplane.focal_to_field(self.camera, u, v))
        wx, wy = (chebyshev.chebval2d(fx / self.scale, fy / self.scale, w) for w in one.warp)
        plane = focalplane.orientation(self.camera, one.rotator) @ np.stack([np.ravel(fx + wx), np.ravel(fy + wy)])
        xi, eta = (np.reshape(p, np.shape(u)) * arcsec / 3600 for p in plane)
        return sphere.deproject(xi, eta, one.ra, one.dec)

    def to_pixel(self, visit: int, ccd: int, ra: Any, dec: Any) -> tuple[Any, Any]:
        """Its inverse, step by step."""
        one, arcsec, chip, terms = (
            self.visits[visit], self.camera.pixel_scale_arcsec, self.camera.ccds[ccd], self.ccd_terms[ccd],
        )  # fmt: skip
        back = np.linalg.inv(focalplane.orientation(self.camera, one.rotator))
        gx, gy = back @ np.stack(sphere.project(ra, dec, one.ra, one.dec)) * 3600 / arcsec
        fx, fy = gx, gy
        for _ in range(30):
            before = fx, fy
            fx, fy = (
                g - chebyshev.chebval2d(fx / self.scale, fy / self.scale, w)
                for g, w in zip((gx, gy), one.warp, strict=True)
            )
            if np.max(np.hypot(fx - before[0], fy - before[1]), initial=0.0) < 1e-11:
                break
        u, v = focalplane.field_to_focal(self.camera, fx * arcsec, fy * arcsec)
        du, dv = u - chip.u_pix - terms[0], v - chip.v_pix - terms[1]
        c, s = np.cos(terms[2]), np.sin(terms[2])
        return focalplane.focal_to_pixel(chip, chip.u_pix + c * du + s * dv, chip.v_pix - s * du + c * dv)

    def area(self, visit: int, ccd: int, x: Any, y: Any) -> Any:
        """Pixel area [deg^2] on the sphere."""
        h = _AREA_STEP
        ends = [self.to_sky(visit, ccd, x + dx, y + dy) for dx, dy in ((h, 0), (-h, 0), (0, h), (0, -h))]
        return _area([sphere.unit_vector(*end) for end in ends])

    def jacobian(self, visit: int, ccd: int, x: Any, y: Any) -> Any:
        """Pixel area over that at the optical centre (no CCD terms there)."""
        h = _AREA_STEP
        ends = [self._field_to_sky(visit, np.array([u]), np.array([v])) for u, v in ((h, 0), (-h, 0), (0, h), (0, -h))]
        return self.area(visit, ccd, x, y) / _area([sphere.unit_vector(*end) for end in ends])[0]

    def scale_mag(self, visit: int, ccd: int, x: Any, y: Any) -> Any:
        """AB magnitude minus instrumental magnitude -2.5 log10(e-) of a star at pixels."""
        one, chip = self.visits[visit], self.camera.ccds[ccd]
        u, v = focalplane.pixel_to_focal(chip, x, y)
        smooth = sum(chebyshev.chebval2d(u / self.scale, v / self.scale, f) for f in (self.flux_field, one.field))
        return one.zero + self.ccd_mag[ccd] + smooth - 2.5 * np.log10(self.jacobian(visit, ccd, x, y))

    def first_mag0(self, visit: int, ccd: int) -> float:
        """FLUXMAG0 of the first calibration."""
        return self.mag0[visit, ccd]


def _area(ends: Any) -> Any:
    cross = np.cross(ends[0] - ends[1], ends[2] - ends[3])
    return np.linalg.norm(cross, axis=-1) / (2 * _AREA_STEP) ** 2 * (180 / np.pi) ** 2


def build(
    camera: str = "toy", ccds: Any = None, *, seed: int = 1, ra: float = 150.0, dec: float = 2.0, n_visit: int = 5,
    per_ccd: float = 60.0, noise_pix: float = 0.01, mag_noise: float = 0.003, dither: float = 0.3, pm_mas: float = 5.0,
    warp_pix: float = 0.5, shift_pix: float = 0.3, turn: float = 1e-4, ccd_mag: float = 0.01, field_mag: float = 0.02,
    visit_mag: float = 0.1, first_mas: float = 60.0, first_mag: float = 0.02, ref_fraction: float = 0.5,
    ref_mas: float = 0.2, rotators: Any = None, step_days: float = 200.0,
) -> World:  # fmt: skip
    """A made world: n_visit dithered by `dither` of a CCD's width or more, per_ccd stars on each CCD."""
    rng = np.random.default_rng(seed)
    description = load(camera)
    ccds = tuple(ccds if ccds is not None else description.ccds)
    chips = [description.ccds[c] for c in ccds]
    scale = max(max(abs(c.u_pix), abs(c.v_pix)) + c.height / 2 for c in chips) * 1.02
    size = chips[0].width * description.pixel_scale_arcsec / 3600
    visits = {}
    for e in range(n_visit):
        east, north = dither * size * rng.uniform(-1, 1, 2)
        center = sphere.deproject(east, north, ra, dec)
        gray = np.zeros((3, 3))
        gray[1, 0], gray[0, 1] = rng.normal(0, 0.003, 2)
        visits[1000 + 2 * e] = Visit(
            1000 + 2 * e, REF_MJD - 700 + step_days * e, float(center[0]), float(center[1]),
            float(rotators[e] if rotators is not None else rng.uniform(-5, 5)),
            [_triangle(rng.normal(0, warp_pix, (4, 4))) for _ in range(2)], float(27.0 + rng.normal(0, visit_mag)),
            gray,
        )  # fmt: skip
    offsets = rng.normal(0, ccd_mag, len(ccds))
    flux_field = _triangle(rng.normal(0, field_mag, (4, 4)))
    flux_field[0, 0] = visit_zero = 0.0
    flux_field[0, 0] -= chebyshev.chebval2d(0.0, 0.0, flux_field) + visit_zero
    world = World(
        description, ccds, scale, visits,
        {c: np.array([*rng.normal(0, shift_pix, 2), rng.normal(0, turn)]) for c in ccds},
        dict(zip(ccds, (offsets - offsets.mean()).tolist(), strict=True)), flux_field,
        *[np.zeros(0)] * 7, None, {}, {}, [], ref_mas,
    )  # fmt: skip
    for one in visits.values():  # P vanishes at the optical centre
        one.field[0, 0] -= chebyshev.chebval2d(0.0, 0.0, one.field)
    world = _with_stars(world, rng, per_ccd, size, dither, pm_mas, ref_fraction, ra, dec)
    _calibrate(world, rng, first_mas, first_mag)
    world.detections = _detect(world, rng, noise_pix, mag_noise)
    return world


def _triangle(c: Any) -> Any:
    """Coefficients of total degree <= 3, falling with the degree."""
    p, q = np.indices(c.shape)
    return np.where(p + q < len(c), c / (1.0 + p + q), 0.0)


def _with_stars(
    world: World, rng: Any, per_ccd: float, size: float, dither: float, pm_mas: float, ref_fraction: float, ra: float,
    dec: float,
) -> World:  # fmt: skip
    """Stars strewn over a margin around every CCD of every visit (once where they overlap)."""
    camera, arcsec = world.camera, world.camera.pixel_scale_arcsec
    reach = max(np.hypot(*np.add(np.abs([c.u_pix, c.v_pix]), c.height / 2)) for c in camera.ccds.values()
                if c.ccd in world.ccds) * arcsec / 3600 * 1.1 + 1.5 * dither * size  # fmt: skip
    chip = camera.ccds[world.ccds[0]]
    density = per_ccd / (chip.width * chip.height * (arcsec / 3600) ** 2)
    n = int(density * (2 * reach) ** 2)
    star_ra, star_dec = sphere.deproject(*rng.uniform(-reach, reach, (2, n)), ra, dec)
    near = np.zeros(n, bool)
    for one in world.visits.values():
        rough = _rough(camera, one, star_ra, star_dec)
        for c in world.ccds:
            x, y = focalplane.focal_to_pixel(camera.ccds[c], *rough)
            near |= (np.abs(x - chip.width / 2) < chip.width) & (np.abs(y - chip.height / 2) < chip.height)
    k = np.flatnonzero(near)
    has_ref = rng.random(k.size) < ref_fraction
    return replace(  # only the motions that a reference catalog knows can be followed
        world, star_ra=star_ra[k], star_dec=star_dec[k], pm=rng.normal(0, pm_mas, (k.size, 2)) * has_ref[:, None],
        mag=rng.uniform(17.5, 20.5, k.size), color=rng.uniform(0.1, 1.0, k.size),
        is_reserved=np.arange(k.size) % 10 == 3,
        has_ref=has_ref,
    )  # fmt: skip


def _rough(camera: Any, one: Visit, ra: Any, dec: Any) -> Any:
    """Places in the focal plane without the distortion, which may fail far outside."""
    back = np.linalg.inv(focalplane.orientation(camera, one.rotator))
    return back @ np.stack(sphere.project(ra, dec, one.ra, one.dec)) * 3600 / camera.pixel_scale_arcsec


def _calibrate(world: World, rng: Any, first_mas: float, first_mag: float) -> None:
    """First WCS of each frame: the camera's geometry, shifted and turned by the size of its errors."""
    for visit, one in world.visits.items():
        for c in world.ccds:
            chip = world.camera.ccds[c]
            x, y = (chip.width - 1) / 2, (chip.height - 1) / 2
            wcs = focalplane.initial_wcs(world.camera, chip, one.ra, one.dec, one.rotator)
            # bring its centre to the truth, then off it
            ra, dec = (float(a) for a in world.to_sky(visit, c, x, y))
            ra, dec = (float(a) for a in sphere.deproject(*rng.normal(0, first_mas / 3.6e6, 2), ra, dec))
            turn = rng.normal(0, first_mas / 3.6e6) / (chip.width * world.camera.pixel_scale_arcsec / 3600)
            cd = np.array([[1.0, -turn], [turn, 1.0]]) @ wcs.cd
            world.wcs[visit, c] = Wcs((ra, dec), wcs.crpix, cd, wcs.a, wcs.b)
            world.mag0[visit, c] = float(10 ** (0.4 * (one.zero + world.ccd_mag[c] + rng.normal(0, first_mag))))
            world.frames.append((visit, c))


def _detect(world: World, rng: Any, noise_pix: float, mag_noise: float) -> Any:
    parts = []
    for visit, one in world.visits.items():
        ra, dec = world.place(np.arange(world.mag.size), one.mjd)
        rough = _rough(world.camera, one, ra, dec)
        for c in world.ccds:
            chip = world.camera.ccds[c]
            x, y = focalplane.focal_to_pixel(chip, *rough)
            k = np.flatnonzero(
                (np.abs(x - chip.width / 2) < chip.width * 0.9) & (np.abs(y - chip.height / 2) < chip.height * 0.9)
            )
            x, y = world.to_pixel(visit, c, ra[k], dec[k])
            inside = (x > 1) & (x < chip.width - 2) & (y > 1) & (y < chip.height - 2)
            k, x, y = k[inside], x[inside], y[inside]
            rows = np.zeros(k.size, DETECTION)
            mag = world.mag[k] - world.scale_mag(visit, c, x, y) + rng.normal(0, mag_noise, k.size)
            rows["star"], rows["visit"], rows["ccd"], rows["err"] = k, visit, c, noise_pix
            rows["x"], rows["y"] = x + rng.normal(0, noise_pix, k.size), y + rng.normal(0, noise_pix, k.size)
            rows["flux"] = 10 ** (-0.4 * mag)
            rows["flux_err"] = mag_noise * np.log(10) / 2.5 * rows["flux"]
            rows["first_mag0"] = world.mag0[visit, c]
            rows["ra"], rows["dec"] = world.wcs[visit, c].pixel_to_sky(rows["x"], rows["y"])
            parts.append(rows)
    return np.concatenate(parts)


def magnitudes(world: World, catalog: str) -> dict[str, Any]:
    """Reference magnitudes (r, i) from which the catalog's color term makes the stars' magnitudes in the filter."""
    term = find_term(world.camera, catalog, FILTER)
    c = world.color
    first = world.mag - term.c0 - term.c1 * c - term.c2 * c**2
    return {term.primary_band: first, term.secondary_band: first - c}


def star_rows(world: World) -> tuple[Any, Any, Any]:
    """The rows that mosaic's queries would return: observations, frames and reference positions."""
    n = np.bincount(world.detections["star"], minlength=world.mag.size)
    d = world.detections[(n >= 2)[world.detections["star"]]]
    d = d[np.lexsort([d["visit"], d["star"]])]
    names = "star_id visit ccd source_id is_reserved is_ambiguous x_pix y_pix x_pix_err y_pix_err x_y_pix2_cov ra dec "
    njy = NJY / d["first_mag0"]
    seen = np.rec.fromarrays(
        [d["star"] + 1, d["visit"], d["ccd"], np.arange(len(d)), world.is_reserved[d["star"]], np.zeros(len(d), bool),
         d["x"], d["y"], d["err"], d["err"], 0.0 * d["err"], d["ra"], d["dec"], d["flux"] * njy, d["flux_err"] * njy],
        names=[*names.split(), "flux_njy", "flux_njy_err"],
    )  # fmt: skip
    parts = []
    for visit, ccd in sorted(world.frames):
        one, wcs, chip = world.visits[visit], world.wcs[visit, ccd], world.camera.ccds[ccd]
        corners = [np.asarray(c) for c in wcs.corners(chip.width, chip.height)]
        parts.append((visit, ccd, one.mjd, one.ra, one.dec, *wcs.crval, world.mag0[visit, ccd], 0, *corners))
    frames = np.empty(len(parts), [(n, "i8") for n in ("visit", "ccd")] + [
        (n, "f8") for n in ("obs_mjd", "visit_ra", "visit_dec", "ra", "dec", "flux_mag0_e")
    ] + [("pointing", "i8"), ("corner_ra", "O"), ("corner_dec", "O")])  # fmt: skip
    for i, part in enumerate(parts):
        frames[i] = part
    stars = np.unique(d["star"])
    k = stars[world.has_ref[stars]]
    rng = np.random.default_rng(77)
    mjd = np.mean([one.mjd for one in world.visits.values()])
    ra, dec = world.place(k, mjd)
    ra, dec = sphere.deproject(*rng.normal(0, world.ref_mas / 3.6e6, (2, k.size)), ra, dec)
    fixed = [np.full(k.size, v) for v in (mjd, REF_MJD, world.ref_mas, world.ref_mas, 0.0)]
    positions = np.rec.fromarrays(
        [k + 1, ra, dec, *fixed, world.pm[k, 0], world.pm[k, 1], np.full(k.size, 0.05), np.full(k.size, 0.05),
         np.zeros(k.size)],
        names="star_id,ra,dec,epoch_mjd,catalog_epoch_mjd,ra_mas_err,dec_mas_err,ra_dec_corr,pm_ra_mas_yr,"
        "pm_dec_mas_yr,pm_ra_mas_yr_err,pm_dec_mas_yr_err,parallax_mas",
    )  # fmt: skip
    return seen, frames, positions
