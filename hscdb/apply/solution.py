"""The flux factor F(x, y) = 10^(-0.4 P(x, y)) J(x, y) of a frame and the nJy of one count (hscPipe's semantics)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from hscdb.sky.polynomial import unflatten
from hscdb.sky.wcs import Wcs

Floats = npt.NDArray[np.float64]

# The factor is exact at nodes and bilinear between. A 7th-order field of 50 mmag over an HSC focal plane bends by less
# than 1e-7 in 32 pix; a camera of few pixels needs closer nodes, which are halved until they are close enough.
_NODE_PIX = 32
_BEND = 3e-7  # largest relative error half-way between nodes: a few roundings of a float32 pixel
NJY_MAG0 = 3631e9  # nJy of AB magnitude 0


@dataclass(frozen=True)
class Solution:
    """What holds for one frame: its WCS and flux scale.

    power      : (order+1, order+1) coefficients C_pq of P [mag/pix^(p+q)] about (-x0, -y0).
    area_deg2  : pixel area where J = 1; NaN: no Jacobian.
    is_joint   : WCS and flux scale come from the joint solution; is_extrapolated: and from the camera model only.
    """

    wcs: Wcs
    mag0_e: float
    mag0_e_err: float
    power: Floats
    x0: float
    y0: float
    area_deg2: float
    is_joint: bool
    is_extrapolated: bool

    def factor(self, x: Floats, y: Floats) -> Floats:
        """F at pixels (x, y)."""
        p = np.polynomial.polynomial.polyval2d(np.asarray(x) + self.x0, np.asarray(y) + self.y0, self.power)
        jacobian = self.wcs.pixel_area(x, y) / self.area_deg2 if np.isfinite(self.area_deg2) else 1.0
        return np.asarray(10.0 ** (-0.4 * p) * jacobian)


def from_row(row: npt.NDArray[np.void]) -> Solution:
    """The Solution of a row of run/read_solutions."""
    cd = [row[name] for name in ("cd1_1_deg", "cd1_2_deg", "cd2_1_deg", "cd2_2_deg")]
    return Solution(
        wcs=Wcs.from_flat(
            (float(row["crval1_deg"]), float(row["crval2_deg"])),
            (float(row["crpix1_pix"]), float(row["crpix2_pix"])),
            cd,
            int(row["sip_order"]),
            row["sip_a"],
            row["sip_b"],
        ),
        mag0_e=float(row["flux_mag0_e"]),
        mag0_e_err=float(row["flux_mag0_e_err"]),
        power=unflatten(row["poly_mag"], int(row["poly_order"])),
        x0=float(row["x0_pix"]),
        y0=float(row["y0_pix"]),
        area_deg2=float(row["jacobian_area_deg2"]) if row["has_jacobian"] else float("nan"),
        is_joint=bool(row["wcs_stage"] == "mosaic" and row["scale_stage"] == "mosaic"),
        is_extrapolated=bool(row["wcs_status"] == "extrapolated"),
    )


@njit(cache=True, nogil=True)
def _spread(nodes, step, data, variance):
    """Multiply data by the bilinear factor and variance by its square, in place."""
    ny, nx = data.shape
    for j in range(ny):
        b = j // step
        fy = (j - b * step) / step
        for i in range(nx):
            a = i // step
            fx = (i - a * step) / step
            f = (nodes[b, a] * (1.0 - fx) + nodes[b, a + 1] * fx) * (1.0 - fy) + (
                nodes[b + 1, a] * (1.0 - fx) + nodes[b + 1, a + 1] * fx
            ) * fy
            data[j, i] *= f
            variance[j, i] *= f * f


def scale_image(
    solution: Solution, data: npt.NDArray[np.float32], variance: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """(data F, variance F^2), new arrays of the same shape (ny, nx)."""
    step, nodes = _nodes(solution, *data.shape)
    new_data, new_variance = data.astype(np.float32, copy=True), variance.astype(np.float32, copy=True)
    _spread(nodes, step, new_data, new_variance)
    return new_data, new_variance


def _nodes(solution: Solution, ny: int, nx: int) -> tuple[int, Floats]:
    """Distance of the nodes [pix] and F at them; the last row and column lie on or beyond the image's edge."""

    def exact(step: int) -> Floats:
        x = np.arange(0, nx + _NODE_PIX + 1, step, dtype=np.float64)
        y = np.arange(0, ny + _NODE_PIX + 1, step, dtype=np.float64)
        grid_x, grid_y = np.meshgrid(x, y)
        return solution.factor(grid_x.ravel(), grid_y.ravel()).reshape(grid_x.shape)

    step, nodes = _NODE_PIX, exact(_NODE_PIX)
    while step > 1:
        finer = exact(step // 2)
        last_y, last_x = (n - 1 - (n - 1) % 2 for n in finer.shape)
        middle = 0.25 * sum(
            finer[j : last_y - 1 + j : 2, i : last_x - 1 + i : 2] for j in (0, 2) for i in (0, 2)
        )  # fmt: skip
        if np.abs(middle / finer[1:last_y:2, 1:last_x:2] - 1.0).max() < _BEND:
            break
        step, nodes = step // 2, finer
    return step, nodes


def sky_errors(wcs: Wcs, x: Floats, y: Floats, xx: Floats, xy: Floats, yy: Floats) -> tuple[Floats, Floats]:
    """One sigma of ra cos(dec) and dec [mas] of centroids with covariance xx, xy, yy [pix^2]."""
    half = 0.5
    east_x, north_x = _step(wcs, x - half, y, x + half, y)
    east_y, north_y = _step(wcs, x, y - half, x, y + half)
    with np.errstate(invalid="ignore"):
        east = np.sqrt(east_x**2 * xx + 2 * east_x * east_y * xy + east_y**2 * yy)
        north = np.sqrt(north_x**2 * xx + 2 * north_x * north_y * xy + north_y**2 * yy)
    return east, north


def _step(wcs: Wcs, x0: Floats, y0: Floats, x1: Floats, y1: Floats) -> tuple[Floats, Floats]:
    """East and north [mas] from one pixel to another."""
    ra0, dec0 = wcs.pixel_to_sky(x0, y0)
    ra1, dec1 = wcs.pixel_to_sky(x1, y1)
    dra = (ra1 - ra0 + 180.0) % 360.0 - 180.0
    return dra * np.cos(np.radians(0.5 * (dec0 + dec1))) * 3.6e6, (dec1 - dec0) * 3.6e6
