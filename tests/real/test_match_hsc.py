"""match on real HSC source catalogs: the groups of the original processing (column `object`) come out again."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from hscdb.fits.table import read_columns
from hscdb.sky import sphere

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "sql"))
from match_world import fill, groups, match, observations  # noqa: E402

DATA = Path(os.environ.get("HSCDB_TESTDATA", ROOT.parent / "shared" / "data")) / "hsc"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"no data in {DATA}; set HSCDB_TESTDATA")
FILES = ("0_70_i", "0_70_r", "0_85_i", "0_85_r", "Tract_0_i", "Tract_0_r")


@pytest.mark.parametrize("name", FILES)
def test_the_objects_of_the_original_processing_come_out_again(connection, name):
    path = next(DATA.glob(f"matchedCatalog*{name}.fits.gz"))
    given = read_columns(path, None, ["coord_ra", "coord_dec", "visit", "object", "base_PsfFlux_snr"])
    ra, dec = np.degrees(given["coord_ra"]), np.degrees(given["coord_dec"])
    visit = given["visit"].astype(np.int64)
    world = fill(connection, observations(visit, ra, dec, flux=given["base_PsfFlux_snr"], err=1.0))
    funnel, task = match(connection, world, snr_min=0.0)
    truth = dict(zip(world.source_id.tolist(), given["object"].tolist(), strict=True))
    # The original lists some sources twice in a visit (patches overlap) and calls them two objects, or leaves one of
    # them out; of those either copy is right. Truth are the objects without such company.
    place = sphere.unit_vector(ra, dec)
    near = cKDTree(place).query_pairs(np.radians(2.0 / 3600))
    company = {k for pair in near for k in pair if visit[pair[0]] == visit[pair[1]]}
    spoilt = {given["object"][k] for k in company}
    objects: dict[int, set[int]] = {}
    for source_id, one in truth.items():
        if one not in spoilt:
            objects.setdefault(one, set()).add(source_id)
    wanted = {frozenset(members) for members in objects.values() if len(members) > 1}
    found = {frozenset(members) for members in groups(connection, task).values()}
    assert len(wanted) > 250
    assert len(wanted & found) / len(wanted) > 0.995
    clean = [group for group in found if not any(truth[k] in spoilt for k in group)]
    assert np.mean([len({truth[k] for k in group}) == 1 for group in clean]) > 0.995
    assert funnel["n_duplicate"] > 0
