"""fits/column: columns change in their place, everything else stays byte for byte."""

import numpy as np
import pytest

from hscdb.errors import InputError
from hscdb.fits import column, product


def table(tmp_path, n=5):
    rows = np.zeros(
        n,
        [("flags", "?", (11,)), ("id", "i8"), ("coord_ra", "f8"), ("name", "S3"), ("flux", "f4"), ("two", "f4", (2,))],
    )
    rows["flags"][:, 3] = True
    rows["id"] = np.arange(n)
    rows["name"] = b"abc"
    rows["coord_ra"] = np.nan
    path = tmp_path / "table.fits"
    product.write_header(path, {"VISIT": 7}, [product.Table("PSF", rows[["id"]]), product.Table("SRC", rows)])
    return path, rows


def test_columns_are_replaced_and_the_rest_stays(tmp_path):
    path, rows = table(tmp_path)
    before = path.read_bytes()
    column.overwrite(path, "SRC", {"coord_ra": np.arange(5) / 7.0, "flux": np.arange(5)})
    found = product.read_table(path, "SRC")
    np.testing.assert_array_equal(found["coord_ra"], np.arange(5) / 7.0)
    np.testing.assert_array_equal(found["flux"], np.arange(5))
    assert found["name"].tolist() == ["abc"] * 5
    for name in ("flags", "id", "two"):
        np.testing.assert_array_equal(found[name], rows[name])
    after = path.read_bytes()
    assert len(after) == len(before)
    assert sum(a != b for a, b in zip(before, after, strict=True)) <= 5 * 12


def test_an_empty_table_may_be_written_to(tmp_path):
    path, _ = table(tmp_path, 0)
    column.overwrite(path, "SRC", {"coord_ra": np.zeros(0)})


def test_what_is_not_there_is_told(tmp_path):
    path, _ = table(tmp_path)
    with pytest.raises(InputError) as caught:
        column.overwrite(path, "CRS", {})
    assert caught.value.code == "no_hdu"
    with pytest.raises(InputError) as caught:
        column.overwrite(path, "SRC", {"coord_rb": np.zeros(5)})
    assert caught.value.code == "no_column"
    with pytest.raises(ValueError, match="4 values"):
        column.overwrite(path, "SRC", {"coord_ra": np.zeros(4)})
    with pytest.raises(ValueError, match="two"):
        column.overwrite(path, "SRC", {"two": np.zeros(5)})
