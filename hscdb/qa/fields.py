"""Fields over the focal plane: the Jacobian and the flux correction of each frame, cell by cell."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hscdb.camera import focalplane
from hscdb.camera.model import Camera, Ccd
from hscdb.sky import polynomial
from hscdb.sky.wcs import Wcs

Rows = npt.NDArray[np.void]
Floats = npt.NDArray[np.float64]

_N_ACROSS = 8  # cells along the short side of a CCD: the fields are polynomials of order 7 over the whole mosaic


@dataclass(frozen=True)
class Cells:
    """Cells of the frames of one visit.

    corners    : (n, 4, 2) of u, v [pix].
    correction : (n,) 10^(-0.4 P), the flux correction without Jacobian, zero point and CCD scale.
    jacobian   : (n,) pixel area over that at the optical center, 1 without a Jacobian.
    """

    corners: Floats
    correction: Floats
    jacobian: Floats


def cells(camera: Camera, rows: Rows) -> Cells:
    """Cells of the frames in rows of run/read_solutions, all of one visit."""
    corners, correction, jacobian = [np.empty((0, 4, 2))], [np.empty(0)], [np.empty(0)]
    for row in rows:
        ccd = camera.ccds[int(row["ccd"])]
        edges_x, edges_y = _edges(ccd)
        x, y = (a.ravel() for a in np.meshgrid((edges_x[1:] + edges_x[:-1]) / 2.0, (edges_y[1:] + edges_y[:-1]) / 2.0))
        corners.append(_corners(ccd, edges_x, edges_y))
        power = polynomial.unflatten(row["poly_mag"], int(row["poly_order"]))
        p = np.polynomial.polynomial.polyval2d(x + row["x0_pix"], y + row["y0_pix"], power)
        correction.append(10.0 ** (-0.4 * p))
        area = float(row["jacobian_area_deg2"]) if row["has_jacobian"] else float("nan")
        jacobian.append(_wcs(row).pixel_area(x, y) / area if area > 0.0 else np.ones(x.size))
    return Cells(np.concatenate(corners), np.concatenate(correction), np.concatenate(jacobian))


def _edges(ccd: Ccd) -> tuple[Floats, Floats]:
    size = min(ccd.width, ccd.height) / _N_ACROSS
    return (
        np.linspace(0.0, ccd.width, max(round(ccd.width / size), 1) + 1) - 0.5,
        np.linspace(0.0, ccd.height, max(round(ccd.height / size), 1) + 1) - 0.5,
    )


def _corners(ccd: Ccd, edges_x: Floats, edges_y: Floats) -> Floats:
    """(n, 4, 2) focal-plane corners of the cells, x running fastest."""
    u, v = focalplane.pixel_to_focal(ccd, *np.meshgrid(edges_x, edges_y))
    node = np.stack([u, v], axis=-1)
    around = (node[:-1, :-1], node[:-1, 1:], node[1:, 1:], node[1:, :-1])
    return np.stack(around, axis=2).reshape(-1, 4, 2)


def _wcs(row: np.void) -> Wcs:
    cd = [row[name] for name in ("cd1_1_deg", "cd1_2_deg", "cd2_1_deg", "cd2_2_deg")]
    crval, crpix = (row["crval1_deg"], row["crval2_deg"]), (row["crpix1_pix"], row["crpix2_pix"])
    return Wcs.from_flat(crval, crpix, cd, int(row["sip_order"]), row["sip_a"], row["sip_b"])
