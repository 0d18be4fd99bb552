"""Masks around very bright reference stars: their radii, their pixels, the flags of sources, the bits in files."""

import numpy as np
import pytest
from astropy.io import fits

from hscdb.calibrate import bright
from hscdb.errors import InputError
from hscdb.fits import bit, product
from hscdb.fits.hdu import Table
from hscdb.image import flags, mask
from hscdb.image.plane import Image

SHAPE = (90, 120)


def disks(x, y, radius):
    return bright.plane(*(np.asarray(each, float) for each in (x, y, radius)), SHAPE)


@pytest.mark.parametrize(("mag", "arcsec"), [(7.0, 200.0 + 33.82), (16.0, 1.125 + 12.0), (17.5, 0.474 + 10.10)])
def test_radii_are_those_of_the_survey(mag, arcsec):
    assert bright.radius_arcsec(mag) == pytest.approx(arcsec, abs=0.01)


def test_a_pixel_is_masked_if_its_middle_lies_in_a_disk_also_of_a_star_beside_the_frame():
    x, y, radius = [20.3, 125.0, -50.0, np.nan], [-4.0, 60.5, 40.0, 10.0], [11.0, 18.2, 30.0, 9.0]
    j, i = np.indices(SHAPE)
    brute = np.zeros(SHAPE, bool)
    for k in range(3):
        brute |= (i - x[k]) ** 2 + (j - y[k]) ** 2 <= radius[k] ** 2
    assert brute.sum() > 400
    np.testing.assert_array_equal(disks(x, y, radius), brute)


def test_sources_are_flagged_by_the_pixels_around_their_centroid():
    inside = disks([60.0], [45.0], [10.0])
    x = np.array([60.0, 71.4, 72.6, 73.4, 73.6, 119.9, -5.0, np.nan])
    y = np.full(len(x), 45.0)
    word = bright.source_flags(inside, x, y)
    any_bit, center = flags.word("bright_object"), flags.word("bright_object_center")
    # the last masked column is 70: within 1 pix of columns up to 71, within 3 pix of columns up to 73
    assert word.tolist() == [any_bit | center, any_bit | center, any_bit, any_bit, 0, 0, 0, 0]
    assert not bright.source_flags(disks([], [], []), x, y).any()


def test_flags_that_need_a_wcs_are_known_by_hscpipes_names():
    from hscdb.detect.catalog import SRC_FLAGS

    assert [SRC_FLAGS[name] for name in flags.SKY_FLAGS] == [
        "base_PixelFlags_flag_bright_object", "base_PixelFlags_flag_bright_objectCenter", "calib_astrometry_used",
        "calib_photometry_used", "calib_photometry_reserved",
    ]  # fmt: skip


@pytest.fixture
def calexp(tmp_path):
    rng = np.random.default_rng(3)
    planes = rng.integers(0, 1 << 11, SHAPE).astype(np.int32)
    image = Image(rng.normal(size=SHAPE).astype(np.float32), np.ones(SHAPE, np.float32), planes)
    path = tmp_path / "CORR.fits"
    product.write_image(path, image)
    return path, image


def test_a_plane_is_set_and_cleared_and_all_else_stays(calexp):
    path, image = calexp
    for inside in (disks([60.0], [45.0], [20.0]), disks([10.0], [9.0], [5.0])):
        bit.set_plane(path, "BRIGHT_OBJECT", inside)
        read, _ = product.read_image(path)
        np.testing.assert_array_equal(read.mask, image.mask | np.where(inside, mask.word("BRIGHT_OBJECT"), 0))
        np.testing.assert_array_equal(read.data, image.data)
    with pytest.raises(ValueError, match="the plane"):
        bit.set_plane(path, "BRIGHT_OBJECT", np.zeros((3, 3), bool))


def test_the_bit_of_a_plane_is_that_of_the_files_own_key(calexp):
    path, image = calexp
    product.update_header(path, {"MASK": [("MP_BRIGHT_OBJECT", 20, "")]})
    bit.set_plane(path, "BRIGHT_OBJECT", np.ones(SHAPE, bool))
    np.testing.assert_array_equal(fits.getdata(path, "MASK"), image.mask | 1 << 20)
    with pytest.raises(InputError, match="no MP_GHOST") as told:
        bit.set_plane(path, "GHOST", np.ones(SHAPE, bool))
    assert told.value.code == "no_plane"


def test_packed_flags_are_set_and_cleared_as_astropy_reads_them(tmp_path):
    rng = np.random.default_rng(4)
    rows = np.zeros(7, [("id", "i8"), ("flags", "?", (33,)), ("x", "f4")])
    rows["id"], rows["flags"] = np.arange(7), rng.random((7, 33)) < 0.5
    path = tmp_path / "SRC.fits"
    product.write_header(path, (), [Table("SRC", rows)])
    for number in (0, 9, 32):
        rows["flags"][:, number] = rng.random(7) < 0.5
        bit.set_flags(path, "SRC", number, rows["flags"][:, number])
    read = fits.getdata(path, "SRC")
    np.testing.assert_array_equal(read["flags"], rows["flags"])
    np.testing.assert_array_equal(read["id"], rows["id"])
    with pytest.raises(InputError, match="no flag of bit 33"):
        bit.set_flags(path, "SRC", 33, rows["flags"][:, 0])
    with pytest.raises(ValueError, match="7 rows"):
        bit.set_flags(path, "SRC", 3, np.ones(2, bool))
