"""Raw pixels, flips, and amplifiers described by headers."""

import gzip
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

from hscdb.camera.load import load
from hscdb.errors import InputError
from hscdb.fits.raw import ccd_in, read_raw

CCD = replace(load("single").ccds[0], raw_width=6, raw_height=4)
PIXELS = np.arange(24).reshape(4, 6) * 2700  # beyond 32767: needs BZERO


def write(path, pixels, **keywords):
    hdu = fits.PrimaryHDU(pixels)
    for key, content in keywords.items():
        hdu.header[key] = content
    hdu.writeto(path)
    return path


@pytest.mark.parametrize("dtype", ["uint16", "int16", "int32", "float32", "float64", "uint8"])
@pytest.mark.parametrize("ending", [".fits", ".fits.gz"])
def test_pixels_come_as_they_are(tmp_path, dtype, ending):
    pixels = (PIXELS if dtype not in ("int16", "uint8") else PIXELS // 300).astype(dtype)
    path = write(tmp_path / "a.fits", pixels)
    if ending == ".fits.gz":
        path = tmp_path / "b.fits.gz"
        path.write_bytes(gzip.compress((tmp_path / "a.fits").read_bytes()))
    found = read_raw(path, 0, CCD)
    assert found.dtype == (np.uint16 if dtype == "uint16" else np.float32)
    assert found.dtype.isnative
    assert found.flags.writeable
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, pixels)


def test_scaled_and_blank_pixels(tmp_path):
    hdu = fits.PrimaryHDU(np.array([[1, 2, -7, 4, 5, 6]] * 4, np.int16))
    hdu.writeto(tmp_path / "a.fits")
    with fits.open(tmp_path / "a.fits", mode="update", do_not_scale_image_data=True) as opened:
        opened[0].header.update(BSCALE=0.5, BZERO=10.0, BLANK=-7)
    found = read_raw(tmp_path / "a.fits", 0, CCD)
    np.testing.assert_array_equal(found[0], np.array([10.5, 11.0, np.nan, 12.0, 12.5, 13.0], np.float32))


@pytest.mark.parametrize("n_blank", [0, 1])
def test_unsigned_pixels_become_floats_only_where_one_is_blank(tmp_path, n_blank):
    pixels = np.array(PIXELS, np.uint16)
    pixels[0, 0] = 1
    pixels.flat[:n_blank] = 0
    write(tmp_path / "a.fits", pixels)
    with fits.open(tmp_path / "a.fits", mode="update", do_not_scale_image_data=True) as opened:
        opened[0].header["BLANK"] = -32768  # as in Subaru's headers
    found = read_raw(tmp_path / "a.fits", 0, CCD)
    assert found.dtype == (np.float32 if n_blank else np.uint16)
    assert np.isnan(found).sum() == n_blank
    np.testing.assert_array_equal(found.ravel()[n_blank:], pixels.ravel()[n_blank:])


@pytest.mark.parametrize("flip", ["", "LR", "TB", "LRTB"])
def test_flips(tmp_path, flip):
    path = write(tmp_path / "a.fits", PIXELS.astype(np.uint16))
    expected = PIXELS[:: -1 if "TB" in flip else 1, :: -1 if "LR" in flip else 1]
    np.testing.assert_array_equal(read_raw(path, 0, replace(CCD, flip=flip)), expected)


def test_compressed_tiles(tmp_path):
    path = tmp_path / "a.fits.fz"
    pixels = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) * 13
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(pixels, compression_type="RICE_1")]).writeto(path)
    found = read_raw(path, 1, replace(CCD, raw_width=64, raw_height=64, flip="LR"))
    np.testing.assert_array_equal(found, pixels[:, ::-1])


def test_a_wrong_size_is_refused(tmp_path):
    path = write(tmp_path / "a.fits", np.zeros((5, 6), np.uint16))
    with pytest.raises(InputError, match="6 x 5") as error:
        read_raw(path, 0, CCD)
    assert error.value.code == "wrong_size"
    assert read_raw(path, 0, replace(CCD, raw_width=0)).shape == (5, 6)


# Regions of DECam raw frame 177764, CCD 25, whose left amplifier is B.
DECAM = {
    "CCDSECA": "[1025:2048,1:4096]", "DATASECA": "[1081:2104,51:4146]", "BIASSECA": "[2105:2154,51:4146]",
    "AMPSECA": "[2048:1025,4096:1]", "CCDSECB": "[1:1024,1:4096]", "DATASECB": "[57:1080,51:4146]",
    "BIASSECB": "[7:56,51:4146]", "AMPSECB": "[1:1024,4096:1]", "GAINA": 4.59, "GAINB": 4.40, "RDNOISEA": 7.18,
    "RDNOISEB": 7.02, "SATURATA": 43266.0, "SATURATB": 44935.0,
}  # fmt: skip


def test_amplifiers_are_those_of_the_header():
    camera = load("decam")
    left, right = ccd_in(camera, camera.ccds[25], DECAM).amplifiers
    assert (left.gain_e_per_adu, left.read_noise_e, left.saturation_adu) == (4.40, 7.02, 44935.0)
    assert (left.raw_box.x0, left.raw_box.y0, left.overscan.x0, left.overscan.width) == (56, 50, 6, 50)
    assert (right.box.x0, right.raw_box.x0, right.overscan.x0, right.is_mirrored) == (1024, 1080, 2104, True)
    assert left.is_mirrored is False
    assert ccd_in(camera, camera.ccds[25], {"NAXIS1": 2160, "NAXIS2": 4146}) == camera.ccds[25]


def test_regions_of_a_file_are_flipped_with_it():
    camera = load("decam")
    ccd = replace(camera.ccds[25], flip="LR")
    left, right = ccd_in(camera, ccd, DECAM).amplifiers
    assert (left.gain_e_per_adu, left.box.x0, left.raw_box.x0, left.overscan.x0) == (4.59, 0, 56, 6)
    assert (right.gain_e_per_adu, right.box.x0, right.raw_box.x0) == (4.40, 1024, 1080)
    assert left.is_mirrored is False
    assert right.is_mirrored is True


def test_a_sky_taken_off_before_is_read_from_the_header():
    camera = load("decam")
    section = camera.settings["raw"]
    keywords = section["keywords"] | {"sky_adu": "SKYSUB"}
    camera = replace(camera, settings=camera.settings | {"raw": section | {"keywords": keywords}})
    left, right = ccd_in(camera, camera.ccds[25], DECAM | {"SKYSUBA": 4115.2}).amplifiers
    assert (left.sky_adu, right.sky_adu) == (0.0, 4115.2)


def test_a_header_that_cannot_be_understood_is_refused():
    camera = load("decam")
    for change in ({"DATASECA": "[1:2]"}, {"GAINA": 0.0}, {"GAINB": "high"}):
        with pytest.raises(InputError) as error:
            ccd_in(camera, camera.ccds[25], DECAM | change)
        assert error.value.code == "bad_header"
