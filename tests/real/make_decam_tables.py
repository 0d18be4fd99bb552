"""Make ccds.csv and distortion.csv of the camera `decam` anew: `python make_decam_tables.py FOLDER_OF_POSITIONS`.

The places of stars by the catalogs' own WCS (field angles u, v of each exposure) are fitted by

    (-u, v) / pixel scale = M + E_e(M),   M = f + sum c_pq f_u^p f_v^q,   f = (u_c, v_c) + R(yaw_c) (x - center)

with CCDs that are rigid and the same in all exposures, a distortion M of degree 7 common to them, and a cubic E of each
exposure (pointing, refraction, air). Least squares over all stars, Gauss-Newton, stars beyond 6 medians left out,
errors of 5 mas (what is left). Gauge by priors: CCD places 1 pix and turns 1 mrad about the present table, E 3 pix.
On the 16777 stars of 19 exposures 5.0 and 5.5 mas are left (degree 9: 5.0, 5.5; a distortion that is only radial: 148;
degree 7 with a free cubic in each CCD: 3.7, 4.9, so the CCDs are rigid to 3 mas). 630 unknowns.
"""

import csv
import sys
from pathlib import Path

import numpy as np
from astropy.table import Table, vstack
from scipy import sparse

from hscdb.camera.load import HERE, load

DEGREE, EXPOSURE_DEGREE = 7, 3
RADIUS_PIX = 16000.0  # maps to 1: raw powers of pixels cannot be solved for
NOISE_PIX = 5.0 / 263.0
PRIOR_PLACE_PIX, PRIOR_YAW, PRIOR_EXPOSURE_PIX = 1.0, 1e-3, 3.0
WITHOUT_STARS = {2: (1, 3), 61: (60, 62)}  # these CCDs stand half way between their neighbors


def powers(degree: int, lowest: int) -> np.ndarray:
    """(n, 2) exponents of total degree lowest..degree."""
    return np.array([(p, q) for p in range(degree + 1) for q in range(degree + 1 - p) if p + q >= lowest])


def monomials(place: np.ndarray, exponents: np.ndarray) -> np.ndarray:
    """(n, n_term) of places (n, 2) [pix]."""
    u, v = (place / RADIUS_PIX).T
    return u[:, None] ** exponents[:, 0] * v[:, None] ** exponents[:, 1]


def blocks(values: np.ndarray, group: np.ndarray, n_group: int) -> sparse.csr_matrix:
    """(n, n_group * n_term): each row's values (n, n_term) in the columns of its group."""
    n, n_term = values.shape
    columns = group[:, None] * n_term + np.arange(n_term)
    return sparse.csr_matrix(
        (values.ravel(), (np.repeat(np.arange(n), n_term), columns.ravel())), (n, n_group * n_term)
    )


def fit(folder: Path) -> tuple[dict[int, tuple[float, float, float]], np.ndarray, np.ndarray]:
    """{ccd: (u [pix], v [pix], yaw [rad])}, exponents (n, 2) and coefficients (n, 2) of the distortion."""
    stars = vstack([Table.read(path) for path in sorted(folder.glob("*.fits.gz"))])
    pixel = np.stack([stars["x"], stars["y"]], axis=1) - 1.0
    camera = load("decam")
    place = np.stack([-np.array(stars["u"]), np.array(stars["v"])], axis=1) / camera.pixel_scale_arcsec
    ccds, ccd = np.unique(np.array(stars["ccdnum"]), return_inverse=True)
    exposures, exposure = np.unique(np.array(stars["expnum"]), return_inverse=True)
    described = [camera.ccds[int(number)] for number in ccds]
    first = np.array([[one.u_pix, one.v_pix, np.radians(one.yaw_deg)] for one in described])
    off = pixel - np.array([[one.center_x_pix, one.center_y_pix] for one in described])[ccd]
    optics, own = powers(DEGREE, 1), powers(EXPOSURE_DEGREE, 0)
    rigid, bent = first.copy(), np.zeros((len(optics), 2))
    air = np.zeros((len(exposures), len(own), 2))
    n_axis = len(optics) + len(ccds) + len(exposures) * len(own)
    prior = np.concatenate([np.full(len(optics), 1e6), np.full(len(ccds), PRIOR_PLACE_PIX),
                            np.full(len(exposures) * len(own), PRIOR_EXPOSURE_PIX)])  # fmt: skip
    ridge = np.concatenate([prior, prior, np.full(len(ccds), PRIOR_YAW)]) ** -2.0
    for _ in range(10):
        c, s = np.cos(rigid[ccd, 2]), np.sin(rigid[ccd, 2])
        lever = np.stack([c * off[:, 0] - s * off[:, 1], s * off[:, 0] + c * off[:, 1]], axis=1)
        focal = rigid[ccd, :2] + lever
        terms = monomials(focal, optics)
        model = focal + terms @ bent
        around = monomials(model, own)
        miss = place - model - np.einsum("nk,nka->na", around, air[exposure])
        size = np.hypot(*miss.T)
        good = size < 6.0 * np.median(size)
        axis = sparse.hstack([sparse.csr_matrix(terms), blocks(np.ones((len(ccd), 1)), ccd, len(ccds)),
                              blocks(around, exposure, len(exposures))])  # fmt: skip
        turn = [blocks(column[:, None], ccd, len(ccds)) for column in (-lever[:, 1], lever[:, 0])]
        matrix = sparse.bmat([[axis, None, turn[0]], [None, axis, turn[1]]]).tocsr()
        weight = np.tile(good, 2) / NOISE_PIX**2
        now = [np.concatenate([bent[:, a], rigid[:, a] - first[:, a], air[:, :, a].ravel()]) for a in range(2)]
        pull = -ridge * np.concatenate([*now, rigid[:, 2] - first[:, 2]])
        normal = (matrix.T @ sparse.diags(weight) @ matrix).toarray() + np.diag(ridge)
        step = np.linalg.solve(normal, matrix.T @ (weight * miss.T.ravel()) + pull)
        for a in range(2):
            part = np.split(step[a * n_axis : (a + 1) * n_axis], [len(optics), len(optics) + len(ccds)])
            bent[:, a] += part[0]
            rigid[:, a] += part[1]
            air[:, :, a] += part[2].reshape(len(exposures), -1)
        rigid[:, 2] += step[2 * n_axis :]
    left = 1.4826 * np.median(np.abs(miss[good]), axis=0) * camera.pixel_scale_arcsec * 1000.0
    print(f"{len(pixel)} stars, {len(exposures)} exposures: {left[0]:.2f}, {left[1]:.2f} mas left, {(~good).sum()} out")
    found = {int(number): tuple(row) for number, row in zip(ccds, rigid, strict=True)}
    return found, optics, bent / RADIUS_PIX ** optics.sum(axis=1)[:, None] + (optics.sum(axis=1) == 1)[:, None] * optics


def write(found: dict[int, tuple[float, float, float]], exponents: np.ndarray, coefficients: np.ndarray) -> None:
    """Replace the places and turns in ccds.csv, and distortion.csv whole."""
    for number, (a, b) in WITHOUT_STARS.items():
        found[number] = tuple((x + y) / 2.0 for x, y in zip(found[a], found[b], strict=True))
    path = HERE / "decam" / "ccds.csv"
    rows = list(csv.DictReader(path.read_text().splitlines()))
    with path.open("w", newline="") as file:
        out = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        out.writeheader()
        for row in rows:
            u, v, yaw = found[int(row["ccd"])]
            out.writerow({**row, "u_pix": f"{u:.3f}", "v_pix": f"{v:.3f}", "yaw_deg": f"{np.degrees(yaw):.5f}"})
    lines = [f"{p},{q},{x:.10g},{y:.10g}" for (p, q), (x, y) in zip(exponents, coefficients, strict=True)]
    (HERE / "decam" / "distortion.csv").write_text("\n".join(["nx,ny,x_coeff,y_coeff", *lines, ""]))


if __name__ == "__main__":
    write(*fit(Path(sys.argv[1])))
