"""The tables that hscPipe's mosaic left beside its plots, with its names and columns, at full precision."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from hscdb.camera.model import Camera
from hscdb.sky import sphere

Rows = npt.NDArray[np.void]


def texts(camera: Camera, rows: Rows, ccds: Rows, visits: Rows) -> dict[str, str]:
    """{dataset: text} of ccd.dat, ccdScale.dat, coeffs.dat, dpos.dat and dmag.dat.

    rows, ccds, visits : of qa/read_residuals, read_ccds and read_visits.
    """
    return {
        "ccdPositions": _ccds(camera, ccds),
        "ccdScales": _table(
            "ccd fchip: flux scale of the CCD (linear; FLUXMAG0 = 1 / (fexp fchip))",
            (f"{r['ccd']:4d} {10.0 ** (-0.4 * r['scale_mag']):10.7f}" for r in ccds if np.isfinite(r["scale_mag"])),
        ),
        "visitCoefficients": _coefficients(visits),
        "positionResiduals": _positions(rows),
        "magnitudeResiduals": _magnitudes(rows),
    }


def catalog(stars: Rows) -> tuple[Rows, dict[str, str], dict[str, str]]:
    """(rows, units, texts) of catalog.fits: hscPipe's columns."""
    known = stars[np.isfinite(stars["ra"])]
    table = np.empty(
        len(known),
        [("id", "i8"), ("coord_ra", "f8"), ("coord_dec", "f8"), ("mag", "f4"), ("err", "f4"), ("num", "i4")],
    )
    table["id"], table["num"] = known["star_id"], known["n_obs"]
    table["coord_ra"], table["coord_dec"] = np.radians(known["ra"]), np.radians(known["dec"])
    table["mag"], table["err"] = known["mag"], known["rms_mag"]
    units = {"coord_ra": "rad", "coord_dec": "rad", "mag": "mag", "err": "mag"}
    docs = {
        "id": "star", "coord_ra": "right ascension by the joint solution", "coord_dec": "declination",
        "mag": "AB magnitude", "err": "rms of its detections about mag", "num": "detections",
    }  # fmt: skip
    return table, units, docs


def _table(head: str, lines: Iterable[str]) -> str:
    return "\n".join(["# " + line for line in head.splitlines()] + list(lines)) + "\n"


def _ccds(camera: Camera, ccds: Rows) -> str:
    """ccd.dat: solved centers and turns; quarter turns are left out of yaw, as in hscPipe."""
    lines = []
    for row in ccds:
        ccd = camera.ccds[int(row["ccd"])]
        yaw = np.radians(ccd.yaw_deg - 90.0 * ccd.n_quarter) + row["turn_rad"]
        lines.append(
            f"{ccd.ccd:4d} {ccd.u_pix + row['shift_u_pix']:14.6f} {ccd.v_pix + row['shift_v_pix']:14.6f} {yaw:14.6e}"
        )
    return _table("ccd centerX centerY yaw: centers in the focal plane [pix], yaw without quarter turns [rad]", lines)


def _coefficients(visits: Rows) -> str:
    """coeffs.dat: tangent point, origin, and the coefficients of xi and eta of each visit."""
    head = (
        "visit A D: tangent point [rad]\n"
        "visit x0 y0 scale: origin and scale of the arguments [pix]\n"
        "visit p q a b: xi = sum a T_p(x) T_q(y), eta = sum b T_p(x) T_q(y) [deg], T Chebyshev,\n"
        "x = (X - x0) / scale, y = (Y - y0) / scale, (X, Y) the focal-plane place without the optics' distortion [pix]"
    )
    lines = []
    for row in visits:
        visit, order = row["visit"], int(row["astrometry_order"])
        lines.append(f"{visit} {np.radians(row['crval1_deg']):.15e} {np.radians(row['crval2_deg']):.15e}")
        lines.append(f"{visit} {row['origin_x_pix']:.6f} {row['origin_y_pix']:.6f} {row['field_scale_pix']:.6f}")
        terms = [(p, q) for p in range(order + 1) for q in range(order + 1 - p)]
        for (p, q), a, b in zip(terms, row["xi_deg"], row["eta_deg"], strict=True):
            lines.append(f"{visit} {p} {q} {a:.15e} {b:.15e}")
    return _table(head, lines)


def _kind(rows: Rows) -> npt.NDArray[np.str_]:
    """m: of a star with a reference magnitude, s: of any other."""
    return np.where(np.isfinite(rows["ref_mag"]), "m", "s")


def _positions(rows: Rows) -> str:
    """dpos.dat: places in the tangent plane about the mean of all."""
    rows = rows[np.isfinite(rows["ra"]) & np.isfinite(rows["ra_after_mas"])]
    middle = sphere.mean_position(rows["ra"], rows["dec"]) if len(rows) else (0.0, 0.0)
    xi, eta = (np.asarray(a) for a in sphere.project(rows["ra"], rows["dec"], *middle))
    star_xi, star_eta = xi - rows["ra_after_mas"] / 3.6e6, eta - rows["dec_after_mas"] / 3.6e6
    columns = zip(_kind(rows), xi, eta, star_xi, star_eta, rows["u_pix"], rows["v_pix"], rows["is_used"], strict=True)
    return _table(
        f"type xi_fit eta_fit xi eta u v good: detection and star [deg] about RA {middle[0]:.9f} Dec {middle[1]:.9f},\n"
        "focal-plane place [pix]; type m: star with reference magnitude, s: without; good: used in the fit",
        (f"{k} {a:.10f} {b:.10f} {c:.10f} {d:.10f} {u:.3f} {v:.3f} {int(g)}" for k, a, b, c, d, u, v, g in columns),
    )


def _magnitudes(rows: Rows) -> str:
    """dmag.dat."""
    rows = rows[np.isfinite(rows["mag"]) & np.isfinite(rows["mag_after_mmag"])]
    star = rows["mag"] - rows["mag_after_mmag"] / 1e3
    reference: Any = np.where(np.isfinite(rows["ref_mag"]), rows["ref_mag"], -9999.0)
    columns = zip(
        _kind(rows), rows["mag"], star, reference, rows["u_pix"], rows["v_pix"], rows["is_used_photometry"], strict=True
    )
    return _table(
        "type mag_cor mag0 mag_cat u v good: detection, star and reference [mag] (-9999: none), place in u, v [pix];\n"
        "type m: star with reference magnitude, s: without; good: used in the fit",
        (f"{k} {m:.6f} {s:.6f} {r:.6f} {u:.3f} {v:.3f} {int(g)}" for k, m, s, r, u, v, g in columns),
    )
