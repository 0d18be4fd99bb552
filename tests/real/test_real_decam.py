"""Three groups of DECam exposures by the commands of the README: the joint fit beside independent cubics.

Both are judged by the same stars, which neither has fitted: detection minus the mean of its star's detections, per
axis, times sqrt(n / (n - 1)), scatter 1.4826 times the median of the size over both axes. The independent fit takes
each exposure by itself, as is done without a joint solution: a cubic through the mean places of the fitted stars by the
catalogs, clipped at 4 sigma; in the field angle (camera geometry and distortion), or on top of the catalogs' own WCS,
which was made with many more stars.
"""

from pathlib import Path

import numpy as np
import pytest
from documented import DATA, commands, rows, run

from hscdb.camera import focalplane
from hscdb.camera.load import load
from hscdb.sky import sphere

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not (DATA / "decam").is_dir(), reason=f"no DECam positions in {DATA} (HSCDB_TESTDATA)"),
]

DETECTIONS = """
    SELECT r.star_id, r.visit, r.ccd, r.is_reserved, q.x_pix, q.y_pix, p.ra, p.dec, r.ra_after_mas, r.dec_after_mas
      FROM star_residual AS r
      JOIN source_sky AS p USING (visit, source_id)
      JOIN source AS q USING (visit, source_id)
     WHERE COALESCE(r.reason_astrometry, '') <> 'ambiguous'
     ORDER BY r.star_id, r.visit
"""


def about_means(residual: np.ndarray, star: np.ndarray, keep: np.ndarray) -> float:
    """Robust sigma of residuals (n, 2) of the kept detections about their stars' means."""
    n = np.bincount(star)
    mean = np.stack([np.bincount(star, axis) / np.maximum(n, 1) for axis in residual.T], axis=1)
    off = (residual - mean[star])[keep & (n[star] > 1)] * np.sqrt(n / np.maximum(n - 1.0, 1e-9))[star][
        keep & (n[star] > 1)
    ][:, None]
    return 1.4826 * float(np.median(np.abs(off)))


def in_plane(star, ra, dec) -> tuple[np.ndarray, np.ndarray]:
    """Places (n, 2) by the catalogs and their stars' means [mas] in a tangent plane."""
    plane = np.stack(sphere.project(ra, dec, *sphere.mean_position(ra, dec)), axis=1) * 3.6e6
    n = np.bincount(star)
    return plane, np.stack([np.bincount(star, axis) / np.maximum(n, 1) for axis in plane.T], axis=1)[star]


def field_angles(ccd, x, y) -> np.ndarray:
    """(n, 2) field angles by the camera's description [its field's half size]."""
    camera = load("decam")
    field = np.empty((ccd.size, 2))
    for number in np.unique(ccd):
        k = ccd == number
        focal = focalplane.pixel_to_focal(camera.ccds[int(number)], x[k], y[k])
        field[k] = np.stack(focalplane.focal_to_field(camera, *focal), axis=1) / 3960.0
    return field


def independent_cubics(star, visit, reserved, where, miss) -> np.ndarray:
    """What a cubic of where (n, 2) in each exposure, through the fitted stars, leaves of miss (n, 2) [mas]."""
    u, v = where.T
    terms = np.stack([u**p * v**q for p in range(4) for q in range(4 - p)], axis=1)
    n = np.bincount(star)
    out = np.empty_like(miss)
    for one in np.unique(visit):
        k = np.flatnonzero(visit == one)
        fitted = k[~reserved[k] & (n[star[k]] > 1)]
        used = fitted
        for _ in range(5):
            solution = np.linalg.lstsq(terms[used], miss[used], rcond=None)[0]
            off = np.hypot(*(miss[fitted] - terms[fitted] @ solution).T)
            used = fitted[off < 4.0 * np.median(off)]
        out[k] = miss[k] - terms[k] @ solution
    return out


@pytest.mark.parametrize("group", ["D", "E", "F"])
def test_exposures_agree_better_than_by_cubics_of_their_own(group, fresh_dsn, tmp_path: Path):
    for block in commands("decam"):
        run(block, tmp_path, fresh_dsn, GROUP=group)
    found = zip(*rows(fresh_dsn, DETECTIONS), strict=True)
    star, visit, ccd, reserved, x, y, ra, dec, east, north = (np.array(column) for column in found)
    plane, mean = in_plane(star, ra, dec)
    field = field_angles(ccd, x, y)
    # the mean is not a cubic of the field angle: a plane coordinate is fitted whole, and only its miss is left
    alone = independent_cubics(star, visit, reserved, field, mean)
    on_top = independent_cubics(star, visit, reserved, plane / np.abs(plane).max(), mean - plane)
    joint = np.stack([east, north], axis=1).astype(np.float64)
    assert np.unique(star[reserved]).size >= 40
    for keep in (reserved, ~reserved):
        assert about_means(joint, star, keep) < about_means(alone, star, keep)
    every = np.ones(star.size, bool)
    assert about_means(joint, star, every) < about_means(on_top, star, every)
    assert about_means(joint, star, reserved) < 14.5
    assert about_means(joint, star, ~reserved) < 12.0
