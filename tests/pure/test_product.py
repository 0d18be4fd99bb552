"""Products: hscPipe's places, and files that astropy and ours read alike."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from hscdb.errors import ConfigError, InputError
from hscdb.fits import product
from hscdb.image.mask import BIT
from hscdb.image.plane import Image


def made(shape: tuple[int, int] = (37, 53)) -> Image:
    rng = np.random.default_rng(2)
    data = rng.normal(100, 10, shape).astype(np.float32)
    data[3, 4] = np.nan
    return Image(data, np.abs(data) + 4, rng.integers(0, 2**19, shape, dtype=np.int32))


IDS = {"visit": 903334, "ccd": 50, "tract": 3, "pointing": 534, "filter": "HSC-R", "calib_date": date(2013, 6, 17)}


@pytest.mark.parametrize(
    ("dataset", "place"),
    [
        ("calexp", "00534/HSC-R/corr/CORR-0903334-050.fits"),
        ("calexpBackground", "00534/HSC-R/corr/BKGD-0903334-050.fits"),
        ("src", "00534/HSC-R/output/SRC-0903334-050.fits"),
        ("srcMatch", "00534/HSC-R/output/SRCMATCH-0903334-050.fits"),
        ("srcMatchFull", "00534/HSC-R/output/SRCMATCHFULL-0903334-050.fits"),
        ("wcs", "00534/HSC-R/corr/0003/wcs-0903334-050.fits"),
        ("fcr", "00534/HSC-R/corr/0003/fcr-0903334-050.fits"),
        ("calibrated_exp", "00534/HSC-R/corr/0003/CALEXP-0903334-050.fits"),
        ("calibrated_src", "00534/HSC-R/output/0003/CALSRC-0903334-050.fits"),
        ("jointcal_wcs", "jointcal-results/0003/jointcal_wcs-0903334-050.fits"),
        ("jointcal_photoCalib", "jointcal-results/0003/jointcal_photoCalib-0903334-050.fits"),
        ("postISRCCD", "postISRCCD/v0903334-fHSC-R/c050.fits"),
        ("bias", "BIAS/2013-06-17/NONE/BIAS-2013-06-17-050.fits"),
        ("dark", "DARK/2013-06-17/NONE/DARK-2013-06-17-050.fits"),
        ("flat", "FLAT/2013-06-17/HSC-R/FLAT-2013-06-17-HSC-R-050.fits"),
        ("fringe", "FRINGE/2013-06-17/HSC-R/FRINGE-2013-06-17-HSC-R-050.fits"),
    ],
)
def test_products_lie_where_hscpipe_puts_them(dataset: str, place: str) -> None:
    assert product.path(dataset, **IDS) == place
    needed = {name: IDS[name] for name in product.names(dataset)}
    assert product.path(dataset, **needed) == place


def test_a_path_asks_for_what_it_needs() -> None:
    with pytest.raises(ConfigError, match="pointing, tract") as caught:
        product.path("wcs", visit=1, ccd=2, filter=None)
    assert caught.value.code == "missing_id"
    with pytest.raises(ConfigError, match="not known"):
        product.path("corr", visit=1)
    assert product.path("src", visit=1, ccd=2, pointing=None, filter=None) == "00000/NONE/output/SRC-0000001-002.fits"


def test_an_image_survives_the_trip_and_astropy_reads_it(tmp_path: Path) -> None:
    image, path = made(), tmp_path / "a b.fits"
    psf = np.zeros(3, [("order", "i4"), ("basis", "f4", (5, 5)), ("model", "U8"), ("is_used", "?")])
    psf["basis"], psf["model"], psf["is_used"] = np.arange(25).reshape(5, 5), "pixel", [True, False, True]
    cards = [
        ("EXPTIME", 150.0, "[s] exposure time"), ("FLATNESS_RMS", np.float32(0.5), "a long keyword"),
        ("NONE", None, "x"),
        ("BAD", float("nan"), "y"), ("NAXIS", 7, "of the raw frame"), ("BITPIX", 16), ("HISTORY", "made by a test"),
        ("OBJECT", "M31 'core'", ""), ("FLATNESS_MESHX", 1.2345678901e-10, "a comment that does not fit " * 3),
        ("LONGTEXT", "x" * 90, "and a comment " * 9), ("OBSERVER", "\u5c71\nda", None),
    ]  # fmt: skip
    product.write_image(path, image, cards, [product.Table("PSF", psf, {"basis": "electron"})], [("CRVAL1", 10.5, "")])
    back, header = product.read_image(path)
    for plane in ("data", "variance", "mask"):
        np.testing.assert_array_equal(getattr(back, plane), getattr(image, plane))
        assert getattr(back, plane).dtype.isnative
    assert header["EXPTIME"] == 150.0
    assert header["FLATNESS_RMS"] == 0.5
    assert header["CRVAL1"] == 10.5
    assert header["NONE"] is None
    assert header["BAD"] is None
    assert header["OBJECT"] == "M31 'core'"
    assert header["FLATNESS_MESHX"] == 1.2345678901e-10
    assert header["LONGTEXT"] == "x" * 90
    assert header["OBSERVER"] == "? da"
    with fits.open(path) as opened:
        opened.verify("exception")
        assert [hdu.name for hdu in opened] == ["PRIMARY", "IMAGE", "MASK", "VARIANCE", "PSF"]
        assert [opened[i].header.get("EXTTYPE") for i in range(4)] == [None, "IMAGE", "MASK", "VARIANCE"]
        assert all(opened[i].header["INHERIT"] for i in (1, 2, 3))
        assert opened[0].data is None
        np.testing.assert_array_equal(opened["IMAGE"].data, image.data)
        np.testing.assert_array_equal(opened["MASK"].data, image.mask)
        assert opened["MASK"].header["MP_SAT"] == BIT["SAT"]
        assert opened["PSF"].columns["basis"].unit == "count"  # which FITS knows; an electron it does not
    assert str(Table.read(path, hdu="PSF")["basis"].unit) == "ct"  # without a warning
    rows = product.read_table(path, "PSF")
    assert rows.dtype["basis"].shape == (5, 5)
    for name in psf.dtype.names:
        np.testing.assert_array_equal(rows[name], psf[name])
    np.testing.assert_array_equal(product.read_plane(path, "VARIANCE"), image.variance)
    assert product.read_header(path, "MASK")["MP_NO_DATA"] == 8


@pytest.mark.parametrize("keyword", ["A", "EXPTIME", "FLATNESS_PP", "ESO DET CHIP ID", "T.X", "filter"])
def test_comments_are_cut_to_the_room_their_card_leaves(tmp_path: Path, keyword: str) -> None:
    path = tmp_path / "card.fits"
    contents = [True, -123456789012, 10**30, 0.1, -1.0 / 3, None, "", "R", "it's", "'" * 30, "x" * 60, "x" * 99]
    lengths = [*range(38, 52), 60, 67, 68, 80]
    for content in contents:
        room = []
        for n in lengths:  # astropy's warning of a card too long is an error in tests
            product.write_header(path, [(keyword, content, "c" * n)])
            header = fits.getheader(path)
            assert set(header.comments[keyword]) <= {"c"}
            room.append(len(header.comments[keyword]))
        assert room == [min(n, max(room)) for n in lengths]  # no shorter than need be
        if not (isinstance(content, str) and len(content) > 20):  # HIERARCH cards cannot be continued
            assert header[keyword] == content or isinstance(header[keyword], fits.card.Undefined)
        if keyword == "EXPTIME" and (content is True or content in (0.1, "R", "it's")):
            assert max(room) == 47
        product.update_header(path, {0: {keyword: "a content that is longer"}})
        updated = fits.getheader(path)
        assert updated[keyword] == "a content that is longer"
        assert updated.comments[keyword] == "c" * min(max(room), len(updated.comments[keyword]))


def test_mask_bits_of_other_files_are_moved_to_ours(tmp_path: Path) -> None:
    path = tmp_path / "theirs.fits"
    bits = np.array([[1 << 3, 1 << 9, 1 << 12], [1 << 3 | 1 << 12, 0, 1 << 5]], np.int32)
    mask = fits.ImageHDU(bits, name="MASK")
    planes = {"MP_BAD": 3, "HIERARCH MP_UNMASKEDNAN": 9, "HIERARCH MP_CROSSTALK": 12}
    mask.header.update(planes | {"HIERARCH MP_GUIDER": 5})
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.ones((2, 3), np.float32), name="IMAGE"), mask]).writeto(path)
    image, _ = product.read_image(path)
    bad, nan, ghost = (1 << BIT[name] for name in ("BAD", "UNMASKEDNAN", "CROSSTALK"))
    np.testing.assert_array_equal(image.mask, [[bad, nan, ghost], [bad | ghost, 0, 0]])
    np.testing.assert_array_equal(product.read_plane(path, "MASK"), image.mask)
    assert not image.variance.any()
    mask16 = fits.ImageHDU(bits.astype(np.int16), name="MASK")  # hscPipe 3 and 4 wrote 16 bits
    mask16.header.update(planes)
    old = tmp_path / "old.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.ones((2, 3), np.float32), name="IMAGE"), mask16]).writeto(old)
    assert product.read_image(old)[0].mask[0].tolist() == [bad, nan, ghost]


def test_headers_are_updated_and_all_else_stays(tmp_path: Path) -> None:
    image, path = made(), tmp_path / "c.fits"
    table = np.arange(4.0).view([("x", "f8")])
    product.write_image(path, image, [("A", 1, "keep")], [product.Table("T", table)])
    new = [(f"K{i}", i * 0.5, "grows the header by blocks") for i in range(90)]
    before = path.read_bytes()
    copy = tmp_path / "copy.fits"
    product.update_header(path, {0: {"A": 2}}, to=copy)
    assert path.read_bytes() == before
    assert product.read_header(copy)["A"] == 2
    product.update_header(path, {0: {"FLUXMAG0": 1e12}, "IMAGE": new, 4: [("UNIT", "e", "")]})
    back, header = product.read_image(path)
    np.testing.assert_array_equal(back.data, image.data)
    np.testing.assert_array_equal(back.mask, image.mask)
    assert (header["A"], header["FLUXMAG0"], header["K89"]) == (1, 1e12, 44.5)
    assert product.read_header(path, "T")["UNIT"] == "e"
    np.testing.assert_array_equal(product.read_table(path, "T")["x"], table["x"])
    assert sorted(each.name for each in tmp_path.iterdir()) == ["c.fits", "copy.fits"]


def test_an_update_that_fails_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "d.fits"
    product.write_image(path, made(), [("A", 1, "")])
    before = path.read_bytes()
    with pytest.raises(InputError) as caught:
        product.update_header(path, {"PSF": {"B": 2}})
    assert caught.value.code == "no_hdu"
    assert path.read_bytes() == before

    def stop(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(product, "_copy", stop)
    with pytest.raises(OSError, match="disk full"):
        product.update_header(path, {0: {"B": 2}})
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["d.fits"]


def test_a_header_only_file_and_a_single_plane(tmp_path: Path) -> None:
    product.write_header(tmp_path / "fcr.fits", [("ORDER", 7, ""), ("C_1_0", 1e-3, "")])
    assert product.read_header(tmp_path / "fcr.fits")["C_1_0"] == 1e-3
    assert (tmp_path / "fcr.fits").stat().st_size == 2880
    pixels = np.arange(12, dtype=np.float32).reshape(3, 4)
    product.write_plane(tmp_path / "bias.fits", pixels, [("CALIBDATE", "2013-06-17", "")])
    np.testing.assert_array_equal(product.read_plane(tmp_path / "bias.fits", "IMAGE"), pixels)
    image, header = product.read_image(tmp_path / "bias.fits")
    assert header["CALIBDATE"] == "2013-06-17"
    assert image.mask.shape == (3, 4)
    with fits.open(tmp_path / "bias.fits") as opened:
        opened.verify("exception")


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"hello", "not_fits"), (None, "no_file"), ("cut", "truncated_fits"), ("head", "truncated_fits")],
)
def test_broken_files_are_told_apart(tmp_path: Path, content: object, code: str) -> None:
    path = tmp_path / "e.fits"
    if content in ("cut", "head"):
        product.write_image(path, made())
        path.write_bytes(path.read_bytes()[: 2880 * 3 if content == "cut" else 3000])
    elif isinstance(content, bytes):
        path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        product.read_image(path)
    assert caught.value.code == code
    assert str(path) in str(caught.value)
