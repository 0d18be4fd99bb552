"""From the sky to the pixels, and how the light changes on the way."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hscdb.camera import focalplane
from hscdb.camera.model import Camera, Ccd
from hscdb.simulate.exposure import Exposure, true_ccd
from hscdb.simulate.setup import Setup, stream
from hscdb.simulate.turbulence import displacement
from hscdb.sky import sphere

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Optics:
    """The light path of one camera: nominal field radius and the terms of the wrong illumination of the flat lamp."""

    setup: Setup
    camera: Camera

    @property
    def radius_pix(self) -> float:
        """Radius of the lit circle; without one, that of the farthest corner of a CCD."""
        if self.camera.vignette is not None:
            return self.camera.vignette[2]
        corners = [
            np.hypot(*focalplane.pixel_to_focal(ccd, [0, ccd.width, 0, ccd.width], [0, 0, ccd.height, ccd.height]))
            for ccd in self.camera.ccds.values()
            if ccd.is_science
        ]
        return float(np.max(corners))

    @property
    def radius_arcsec(self) -> float:
        """Nominal radius of the field: the unit of distortions, clouds and PSF terms."""
        return self.radius_pix * self.camera.pixel_scale_arcsec

    def sky_to_pixel(self, exposure: Exposure, ccd: Ccd, ra: ArrayLike, dec: ArrayLike) -> tuple[Floats, Floats]:
        """True pixels (x, y) of directions [deg] at the epoch of the exposure.

        True pointing and turn, then scale, low-order distortion and turbulence in the field angle, then the inverse of
        the camera's distortion, then the CCD where it really sits.
        """
        xi, eta = sphere.project(ra, dec, exposure.ra_true, exposure.dec_true)
        turn = focalplane.orientation(self.camera, exposure.pa_deg + exposure.rotation_err_deg)
        (a, b), (c, d) = np.linalg.inv(turn) * 3600.0 * (1.0 + exposure.scale_err)
        x, y = a * xi + b * eta, c * xi + d * eta
        shift_x, shift_y = self._distortion(exposure, x, y)
        blown_x, blown_y = displacement(self.setup, exposure.visit, x, y)
        u, v = focalplane.field_to_focal(self.camera, x + shift_x + blown_x, y + shift_y + blown_y)
        return focalplane.focal_to_pixel(true_ccd(self.setup, ccd), u, v)

    def _distortion(self, exposure: Exposure, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        p, q = x / self.radius_arcsec, y / self.radius_arcsec
        terms = np.stack([p * p, p * q, q * q, p**3, p * p * q, p * q * q, q**3])
        shift = exposure.distortion @ terms
        return shift[0], shift[1]

    def jacobian(self, exposure: Exposure, ccd: Ccd) -> Floats:
        """(2, 2) matrix from arcsec (east, north) to pixels at the center of a CCD."""
        turned = exposure.ra_true, exposure.dec_true, exposure.pa_deg
        x = (ccd.width - 1) / 2.0 + np.array([0.0, 1.0, 0.0])
        y = (ccd.height - 1) / 2.0 + np.array([0.0, 0.0, 1.0])
        ra, dec = focalplane.pixel_to_sky(self.camera, ccd, *turned, x, y)
        xi, eta = sphere.project(ra, dec, ra[0], dec[0])
        return np.asarray(np.linalg.inv(3600.0 * np.array([[xi[1], xi[2]], [eta[1], eta[2]]])), np.float64)

    def pixel_area(self, u: ArrayLike, v: ArrayLike) -> Floats:
        """Sky area of a pixel at a place of the focal plane relative to that at its center.

        Determinant of the distortion by differences over 20 pixels times (1 + rho^2)^(-3/2), which takes the tangent
        plane to the sphere.
        """
        u, v = np.asarray(u, dtype=float), np.asarray(v, dtype=float)
        return self._determinant(u, v) / self._determinant(np.zeros(1), np.zeros(1))

    def _determinant(self, u: Floats, v: Floats) -> Floats:
        h = 10.0
        east, west = (focalplane.focal_to_field(self.camera, u + side, v) for side in (h, -h))
        north, south = (focalplane.focal_to_field(self.camera, u, v + side) for side in (h, -h))
        det = (east[0] - west[0]) * (north[1] - south[1]) - (north[0] - south[0]) * (east[1] - west[1])
        rho = np.radians(np.hypot(*focalplane.focal_to_field(self.camera, u, v)) / 3600.0)
        return np.asarray(np.abs(det) * (1.0 + rho**2) ** -1.5)

    def _off_center(self, u: ArrayLike, v: ArrayLike) -> tuple[Floats, Floats]:
        u0, v0, _ = self.camera.vignette or (0.0, 0.0, 0.0)
        return np.subtract(u, u0) / self.radius_pix, np.subtract(v, v0) / self.radius_pix

    def vignetting(self, u: ArrayLike, v: ArrayLike) -> Floats:
        """Throughput: 1 at the center, `edge_throughput` at the edge of the lit circle; goes on smoothly beyond."""
        p, q = self._off_center(u, v)
        r2 = p * p + q * q
        return np.asarray(1.0 - (1.0 - self.setup.edge_throughput) * (0.4 * r2 + 0.6 * r2 * r2))

    def is_lit(self, u: ArrayLike, v: ArrayLike) -> NDArray[np.bool_]:
        """Whether a place lies inside the lit circle (always, if the camera has none)."""
        p, q = self._off_center(u, v)
        return (p * p + q * q <= 1.0) | (self.camera.vignette is None)

    def illumination(self, u: ArrayLike, v: ArrayLike) -> Floats:
        """Light of the flat lamp relative to that of a uniform sky, about `illumination` off at the edge."""
        a, b, c, d = stream(self.setup, "camera").normal(0.0, 0.5, 4)
        p, q = self._off_center(u, v)
        r2 = p * p + q * q
        shape = 0.8 * r2 + a * p + b * q + c * (p**3 - 3.0 * p * q * q) + d * p * q * r2
        return np.asarray(1.0 + self.setup.illumination * shape)

    def cloud_mag(self, exposure: Exposure, u: ArrayLike, v: ArrayLike) -> Floats:
        """Extinction by clouds [mag] at a place."""
        p, q = self._off_center(u, v)
        return np.asarray(exposure.transparency_mag + exposure.cloud[0] * p + exposure.cloud[1] * q)
