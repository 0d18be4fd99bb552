"""Counts to magnitudes and nJy: hscPipe's Calib and PhotoCalib, and mosaic's FluxFitParams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hscdb.butler.masked import MaskedImage
from hscdb.butler.metadata import PropertyList
from hscdb.fits.solution import turned

__all__ = ["Calib", "FluxFitParams", "PhotoCalib", "turned"]

NJY_MAG0 = 3631e9  # nJy of AB magnitude 0
_ERR = 2.5 / np.log(10.0)


class PhotoCalib:
    """One scale for a whole frame: `mag0` counts are AB magnitude 0, `mag0_err` their error.

    hscPipe 4's Calib and later PhotoCalib in one. Counts are electrons here, ADU there; FLUXMAG0 is of the same counts.
    """

    def __init__(self, mag0: float, mag0_err: float = 0.0) -> None:
        self.mag0, self.mag0_err = float(mag0), float(mag0_err)

    @classmethod
    def of(cls, header: PropertyList | Mapping[str, Any]) -> PhotoCalib | None:
        """That of a header; None if it has no FLUXMAG0."""
        mag0 = header.get("FLUXMAG0") if "FLUXMAG0" in header else None
        if mag0 is None:
            return None
        error = header.get("FLUXMAG0ERR") if "FLUXMAG0ERR" in header else None
        return cls(mag0, 0.0 if error is None else error)

    def getFluxMag0(self) -> tuple[float, float]:
        """(counts of magnitude 0, error)."""
        return self.mag0, self.mag0_err

    def getInstFluxAtZeroMagnitude(self) -> float:
        """Counts of magnitude 0."""
        return self.mag0

    def getCalibrationMean(self) -> float:
        """nJy per count."""
        return NJY_MAG0 / self.mag0

    def getLocalCalibration(self, point: Any = None) -> float:
        """nJy per count at a place: the same all over the frame."""
        return self.getCalibrationMean()

    def calibrateImage(self, masked: MaskedImage) -> MaskedImage:
        """A copy in nJy."""
        made = masked.clone()
        made *= self.getCalibrationMean()
        return made

    def getCalibrationErr(self) -> float:
        """Error of getCalibrationMean."""
        return NJY_MAG0 * self.mag0_err / self.mag0**2

    def instFluxToMagnitude(self, flux: Any, error: Any = None) -> Any:
        """AB magnitude of counts (NaN where they are not positive); with their error, (magnitude, error).

        A catalog and the name of a flux (say "base_PsfFlux") give an (n, 2) array.
        """
        if isinstance(error, str):
            columns = flux.get(f"{error}_instFlux"), flux.get(f"{error}_instFluxErr")
            return np.stack(self.instFluxToMagnitude(*columns), axis=1)
        flux = np.asarray(flux, np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            magnitude = np.where(flux > 0, -2.5 * np.log10(flux / self.mag0), np.nan)
            if error is None:
                return magnitude[()]
            relative = np.hypot(np.asarray(error, np.float64) / flux, self.mag0_err / self.mag0)
        return magnitude[()], np.where(flux > 0, _ERR * relative, np.nan)[()]

    getMagnitude = instFluxToMagnitude

    def instFluxToNanojansky(self, flux: Any, error: Any = None) -> Any:
        """Flux [nJy] of counts; with their error, (flux, error)."""
        njy = np.asarray(flux, np.float64) * self.getCalibrationMean()
        if error is None:
            return njy[()]
        own = np.asarray(error, np.float64) * self.getCalibrationMean()
        return njy[()], np.hypot(own, njy * self.mag0_err / self.mag0)[()]

    def magnitudeToInstFlux(self, magnitude: Any) -> Any:
        """Counts of an AB magnitude."""
        return (self.mag0 * 10.0 ** (-0.4 * np.asarray(magnitude, np.float64)))[()]

    getFlux = magnitudeToInstFlux

    def setThrowOnNegativeFlux(self, is_thrown: bool) -> None:
        """Taken and not needed: the magnitude of a negative flux is NaN."""

    def __repr__(self) -> str:
        return f"PhotoCalib: {self.mag0:g} +- {self.mag0_err:g} counts at magnitude 0"


class FluxFitParams:
    """mosaic's flux correction of a frame, from the header of its fcr file.

    eval(x, y) [mag] is hscPipe's: a polynomial of the pixels of the CCD turned by its quarter turns (n_quarter of the
    camera) so that the origin is at the lower left as seen in the focal plane. For the HSC's CCDs with n_quarter 0
    these are the image's own pixels. `turned` turns pixels; the pixel-area factor is not part of eval.
    """

    def __init__(self, metadata: PropertyList | Mapping[str, Any]) -> None:
        self.order = int(metadata.get("ORDER"))  # type: ignore[arg-type]  # a header without it is refused by get
        self.absolute = bool(metadata.get("ABSOLUTE"))
        self.chebyshev = bool(metadata.get("CHEBYSHEV"))
        self.ncoeff = int(metadata.get("NCOEFF"))  # type: ignore[arg-type]
        self.u_max, self.v_max, self.x0, self.y0 = (
            float(metadata.get(name))  # type: ignore[arg-type]
            for name in ("U_MAX", "V_MAX", "X0", "Y0")
        )
        self.coeff = np.zeros((self.order + 1, self.order + 1))
        for p in range(self.order + 1):
            for q in range(self.order + 1 - p):
                self.coeff[p, q] = float(metadata.get(f"C_{p}_{q}"))  # type: ignore[arg-type]

    def eval(self, x: Any, y: Any) -> Any:
        """Correction [mag], to be added to a magnitude or a zero point; numbers or arrays."""
        u = (np.asarray(x, np.float64) + self.x0) / self.u_max
        v = (np.asarray(y, np.float64) + self.y0) / self.v_max
        of = np.polynomial.chebyshev.chebval2d if self.chebyshev else np.polynomial.polynomial.polyval2d
        return np.asarray(of(u, v, self.coeff))[()]


Calib = PhotoCalib
