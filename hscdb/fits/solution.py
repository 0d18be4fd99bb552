"""Solutions that other programs left: mosaic's fcr- and wcs- files of any hscPipe, jointcal's photoCalib files.

What such a file says of a CCD (hscPipe 3 to 7):

    AB flux / 3631 Jy = counts 10^(-0.4 P(X, Y)) J(X, Y) / FLUXMAG0
    P = sum C_p_q ((X + X0) / U_MAX)^p ((Y + Y0) / V_MAX)^q                [mag], or Chebyshev terms of the same

(X, Y) are pixels, 0-based, of the CCD turned by its quarter turns until its lower left corner is that of the focal
plane (`turned`); J is the pixel area over that at the optical centre: the tangent point of a wcs- file, unless a card
JACAREA tells the area there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.io import fits

from hscdb.errors import InputError
from hscdb.fits.header import contents, wcs_from_header
from hscdb.sky.wcs import Wcs

Floats = npt.NDArray[np.float64]
NJY_MAG0 = 3631e9  # nJy of AB magnitude 0


@dataclass(frozen=True)
class FluxField:
    """P of a file and its zero.

    power : (order + 1, order + 1) coefficients C_p_q [mag]; mag0, mag0_err: counts of AB magnitude 0, one sigma (of
            mosaic: the scatter of its stars; NaN if not told); area_deg2: pixel area where J is 1, NaN if not told.
    """

    power: Floats
    x0: float
    y0: float
    u_max: float
    v_max: float
    is_chebyshev: bool
    mag0: float
    mag0_err: float
    area_deg2: float = float("nan")

    def eval(self, x: Any, y: Any) -> Floats:
        """P [mag] at pixels of the turned CCD."""
        u = (np.asarray(x, np.float64) + self.x0) / self.u_max
        v = (np.asarray(y, np.float64) + self.y0) / self.v_max
        of = np.polynomial.chebyshev.chebval2d if self.is_chebyshev else np.polynomial.polynomial.polyval2d
        return np.asarray(of(u, v, self.power))

    def factor(self, x: Any, y: Any, wcs: Wcs | None = None) -> Floats:
        """F = 10^(-0.4 P) J by which counts at pixels of the turned CCD are multiplied; without wcs J is left out.

        wcs : of the same turned pixels, its tangent point at the optical centre, as in wcs- files.
        """
        scale = 10.0 ** (-0.4 * self.eval(x, y))
        return scale if wcs is None else scale * jacobian(wcs, x, y, self.area_deg2)

    def magnitude(self, counts: Any, x: Any, y: Any, wcs: Wcs | None = None) -> Floats:
        """AB magnitude of counts at pixels of the turned CCD."""
        return np.asarray(-2.5 * np.log10(np.asarray(counts, np.float64) * self.factor(x, y, wcs) / self.mag0))


@dataclass(frozen=True)
class PhotoCalib:
    """A photoCalib file: nJy = counts mean f(x, y), f one where there is no field.

    field      : mosaic's field inside a file of that (f = 10^(-0.4 P) J at the turned pixels), n_quarter its turns.
    chebyshev  : (ny, nx) coefficients of T_i(y) T_j(x) of the value itself [nJy/count] over box (x0, y0, x1, y1).
    """

    mean: float
    error: float
    field: FluxField | None = None
    n_quarter: int = 0
    chebyshev: Floats | None = None
    box: tuple[int, int, int, int] = (0, 0, 0, 0)

    def njy_per_count(self, x: Any, y: Any, wcs: Wcs | None = None) -> Floats:
        """nJy per count at the image's own pixels; wcs: of the turned pixels, for mosaic's J."""
        x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
        x0, y0, x1, y1 = self.box
        if self.chebyshev is not None:
            u, v = (2.0 * x - x0 - x1) / (x1 - x0), (2.0 * y - y0 - y1) / (y1 - y0)
            return np.asarray(np.polynomial.chebyshev.chebval2d(v, u, self.chebyshev))
        if self.field is None:
            return np.full(np.broadcast_shapes(x.shape, y.shape), self.mean)
        return self.mean * self.field.factor(*turned(x, y, self.n_quarter, x1 - x0 + 1, y1 - y0 + 1), wcs)


def turned(x: Any, y: Any, n_quarter: int, width: int, height: int) -> tuple[Any, Any]:
    """Pixels of an image of this size in the frame of mosaic's files."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    n = n_quarter % 4
    if n == 1:
        return height - 1 - y, x
    if n == 2:
        return width - 1 - x, height - 1 - y
    return (y, width - 1 - x) if n == 3 else (x, y)


def jacobian(wcs: Wcs, x: Any, y: Any, area_deg2: float = float("nan")) -> Floats:
    """Pixel area over area_deg2; NaN: over that at the tangent point."""
    if not np.isfinite(area_deg2):
        area_deg2 = float(wcs.pixel_area(np.array([wcs.crpix[0]]), np.array([wcs.crpix[1]]))[0])
    return np.asarray(wcs.pixel_area(np.asarray(x, np.float64), np.asarray(y, np.float64)) / area_deg2)


def flux_field(header: Mapping[str, Any]) -> FluxField:
    """The field of a header's contents. InputError `bad_fcr` for one that is incomplete."""
    try:
        order = int(header["ORDER"])
        power = np.zeros((order + 1, order + 1))
        for p in range(order + 1):
            for q in range(order + 1 - p):
                power[p, q] = float(header[f"C_{p}_{q}"])
        x0, y0, u_max, v_max, mag0 = (float(header[name]) for name in ("X0", "Y0", "U_MAX", "V_MAX", "FLUXMAG0"))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"fcr: {error} is missing or no number. Give a whole fcr- file.", code="bad_fcr") from None
    mag0_err, area = (float(header.get(name, "nan")) for name in ("FLUXMAG0ERR", "JACAREA"))
    return FluxField(power, x0, y0, u_max, v_max, bool(header.get("CHEBYSHEV", False)), mag0, mag0_err, area)


def read_fcr(path: Path) -> FluxField:
    """The flux field of an fcr- file. InputError `bad_fcr`, or of a file that cannot be opened."""
    with _opened(path) as hdus:
        return flux_field(contents(hdus[0].header))


def read_wcs(path: Path) -> Wcs:
    """The WCS of a wcs- or jointcal_wcs- file that holds it as header cards, in whichever of its HDUs.

    InputError `no_wcs`; `ast_wcs` for the archives of text of AST that hscPipe 6 and later wrote.
    """
    with _opened(path) as hdus:
        for hdu in hdus:
            if str(hdu.header.get("CTYPE1", "")).startswith(("RA", "DEC")):
                return wcs_from_header(contents(hdu.header))
        if any(hdu.header.get("AR_NAME") == "SkyWcs" for hdu in hdus):
            raise InputError(
                f"{path}: the WCS is an archive of text for the library AST, no header. Read it with the LSST stack "
                "and write its SIP approximation.",
                code="ast_wcs",
            )
    raise InputError(f"{path}: no HDU has a WCS. Give a wcs- file.", code="no_wcs")


def read_photo_calib(path: Path) -> PhotoCalib:
    """A photoCalib file: ours, by header cards, or an archive of afw tables. InputError `bad_photo_calib`."""
    with _opened(path) as hdus:
        header = contents(hdus[0].header)
        if "CALMEAN" in header:
            width = height = 1  # our field is of the image's own pixels: nothing is turned
            return PhotoCalib(
                float(header["CALMEAN"]), float(header["CALERR"]), flux_field(header), 0, None,
                (0, 0, width - 1, height - 1),
            )  # fmt: skip
        rows = {str(h.header["AR_NAME"]).strip(): h.data[0] for h in hdus[1:]
                if "AR_NAME" in h.header and h.data is not None and len(h.data)}  # fmt: skip
        if "PhotoCalib" not in rows:
            raise InputError(f"{path}: holds no PhotoCalib. Give a photoCalib file.", code="bad_photo_calib")
        mean, error = (float(rows["PhotoCalib"][name]) for name in ("calibrationMean", "calibrationErr"))
        if "FluxFitBoundedField" in rows:
            return _of_mosaic(mean, error, rows["FluxFitBoundedField"])
        if "ChebyshevBoundedField" in rows:
            own = rows["ChebyshevBoundedField"]
            across = int(own["order_x"]) + 1
            flat = np.asarray(own["coefficients"], np.float64).ravel()
            return PhotoCalib(mean, error, chebyshev=flat.reshape(-1, across), box=_box(own))
        return PhotoCalib(mean, error)


def _of_mosaic(mean: float, error: float, row: Any) -> PhotoCalib:
    """Coefficients come by degree, the power of x falling; flags are (absolute, chebyshev)."""
    flat = np.asarray(row["coefficients"], np.float64).ravel()
    order = int((np.sqrt(8 * flat.size + 1) - 3) / 2)
    power, k = np.zeros((order + 1, order + 1)), 0
    for degree in range(order + 1):
        for q in range(degree + 1):
            power[degree - q, q] = flat[k]
            k += 1
    x0, y0, u_max, v_max, mag0 = (float(row[name]) for name in ("x0", "y0", "uMax", "vMax", "zeroPoint"))
    field = FluxField(power, x0, y0, u_max, v_max, bool(row["flags"][1]), mag0, error * mag0 / mean)
    return PhotoCalib(mean, error, field, int(row["nQuarter"]), None, _box(row))


def _box(row: Any) -> tuple[int, int, int, int]:
    return tuple(int(row[f"bbox_{end}_{axis}"]) for end in ("min", "max") for axis in "xy")  # type: ignore[return-value]


def _opened(path: Path) -> Any:
    try:
        return fits.open(path, memmap=False)
    except OSError as error:
        raise InputError(f"{path}: cannot be read as FITS ({error}). Give another file.", code="not_fits") from None
