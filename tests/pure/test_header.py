"""Headers: contents, JSON, regions and world coordinates."""

import gzip
import json

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from hscdb.errors import InputError
from hscdb.fits import header
from hscdb.sky import sphere
from hscdb.sky.wcs import Wcs

rng = np.random.default_rng(8)
X, Y = rng.uniform(0, 2047, 200), rng.uniform(0, 4095, 200)


def sip(order: int) -> Wcs:
    a, b = (np.zeros((order + 1, order + 1)) for _ in range(2))
    for p in range(order + 1):
        for q in range(order + 1 - p):
            if p + q >= 2:
                a[p, q], b[p, q] = rng.normal(0, 3.0 / 2000.0 ** (p + q), 2)
    return Wcs((359.99, 45.0), (1000.0, 2000.0), np.array([[-4.6e-5, 1e-6], [1.5e-6, 4.7e-5]]), a, b)


@pytest.mark.parametrize("order", [0, 2, 5])
def test_a_wcs_written_as_cards_is_the_same_to_us_and_to_astropy(order):
    wcs = sip(order)
    cards = fits.Header(header.wcs_cards(wcs, 2048, 4096))
    back = header.wcs_from_header(header.contents(cards))
    ours = wcs.pixel_to_sky(X, Y)
    assert (sphere.separation(*ours, *back.pixel_to_sky(X, Y)) * 3.6e6).max() < 1e-4
    theirs = WCS(cards)
    ra, dec = theirs.all_pix2world(X, Y, 0)
    assert (sphere.separation(*ours, ra, dec) * 3.6e6).max() < 1e-4
    np.testing.assert_allclose(theirs.all_world2pix(ra, dec, 0), [X, Y], atol=1e-3)


def test_pixels_are_counted_from_one_in_headers_only():
    cards = dict((key, content) for key, content, _ in header.wcs_cards(sip(2)))
    assert (cards["CRPIX1"], cards["CRPIX2"]) == (1001.0, 2001.0)
    box, is_back_x, is_back_y = header.section("[2048:1025,1:4096]")
    assert (box.x0, box.y0, box.width, box.height, is_back_x, is_back_y) == (1024, 0, 1024, 4096, True, False)
    assert header.section("[3130 4855 4724 6449]")[0].x0 == 3129
    with pytest.raises(ValueError):
        header.section("[1:2]")


TAN = {
    "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 10.0, "CRVAL2": -30.0, "CRPIX1": 500.5, "CRPIX2": 600.0,
    "CDELT1": -1e-4, "CDELT2": 1.1e-4,
}  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"CROTA2": 33.0},
        {"PC1_1": 0.9, "PC1_2": -0.1, "PC2_1": 0.12, "PC2_2": 0.95},
        {"CDELT1": None, "CDELT2": None, "CD1_1": -1e-4, "CD1_2": 1e-6, "CD2_1": 2e-6, "CD2_2": 1e-4},
        {"CUNIT1": "deg", "CUNIT2": "deg", "CRVAL1": -1.0},
    ],
)
def test_linear_parts_of_all_kinds_agree_with_astropy(change):
    cards = {key: value for key, value in (TAN | change).items() if value is not None}
    ra, dec = WCS(fits.Header(cards)).all_pix2world(X, Y, 0)
    ours = header.wcs_from_header(cards).pixel_to_sky(X, Y)
    assert (sphere.separation(*ours, ra, dec) * 3.6e6).max() < 1e-5


def test_tpv_agrees_with_astropy():
    cards = TAN | {
        "CTYPE1": "RA---TPV",
        "CTYPE2": "DEC--TPV",
        "CD1_1": -7e-5,
        "CD1_2": 2e-6,
        "CD2_1": 1e-6,
        "CD2_2": 7e-5,
    }
    terms = {0: 1e-4, 1: 1.001, 2: -2e-4, 4: 3e-3, 5: -1e-3, 6: 2e-3, 7: 5e-3, 8: 1e-3, 9: -4e-3, 10: 2e-3}
    cards |= {f"PV{axis}_{k}": term for axis in (1, 2) for k, term in terms.items()}
    ra, dec = WCS(fits.Header(cards)).all_pix2world(X, Y, 0)
    ours = header.wcs_from_header(cards).pixel_to_sky(X, Y)
    assert (sphere.separation(*ours, ra, dec) * 3.6e6).max() < 1e-4


def test_axes_may_change_places():
    swapped = dict(zip(["CTYPE2", "CTYPE1", "CRVAL2", "CRVAL1"], ["RA---TAN", "DEC--TAN", 10.0, -30.0], strict=True))
    cards = TAN | swapped | {"CD1_1": 1e-6, "CD1_2": 1e-4, "CD2_1": -1e-4, "CD2_2": 2e-6}
    ra, dec = header.wcs_from_header(cards).pixel_to_sky(X, Y)
    theirs = WCS(fits.Header(cards)).all_pix2world(X, Y, 0)
    assert (sphere.separation(ra, dec, theirs[1], theirs[0]) * 3.6e6).max() < 1e-5


@pytest.mark.parametrize(
    ("change", "code"),
    [({"CTYPE1": None, "CTYPE2": None}, "no_wcs"), ({"CTYPE1": "RA---ZPN", "CTYPE2": "DEC--ZPN"}, "bad_wcs"),
     ({"CRVAL1": None}, "bad_wcs"), ({"LONPOLE": 90.0}, "bad_wcs"), ({"CRPIX1": "x"}, "bad_wcs")],
)  # fmt: skip
def test_a_wcs_we_do_not_know_is_refused(change, code):
    with pytest.raises(InputError) as error:
        header.wcs_from_header({key: value for key, value in (TAN | change).items() if value is not None})
    assert error.value.code == code


def test_json_keeps_comments_repetitions_long_texts_and_no_nan():
    cards = [
        "SIMPLE  =                    T", "LONG    = 'abc&'", "CONTINUE  'def' / a comment",
        "A       =                    1", "A       =                    2 / again",
        "HIERARCH one long keyword = 3.5 / h", "COMMENT one", "COMMENT two",
        "BAD     = NaN / not a number", "UNDEF   =", "END",
    ]  # fmt: skip
    found = header.header_json(fits.Header.fromstring("".join(card.ljust(80) for card in cards)))
    text = json.dumps(found, allow_nan=False)
    assert json.loads(text) == found
    assert found["LONG"] == ["abcdef", "a comment"]
    assert found["A"] == [[1, ""], [2, "again"]]
    assert found["one long keyword"] == [3.5, "h"]
    assert [pair[0] for pair in found["COMMENT"]] == ["one", "two"]
    assert found["BAD"] == ["NaN", "not a number"]
    assert found["UNDEF"] == [None, ""]


def test_hdus_inherit_and_images_are_found(tmp_path):
    path = tmp_path / "a.fits"
    hdus = fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.zeros((3, 4), "f4"), name="sci")])
    hdus[0].header["EXPNUM"] = 7
    hdus[1].header["CCDNUM"] = 25
    hdus.writeto(path)
    zipped = tmp_path / "a.fits.gz"
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    for one in (path, zipped):
        assert header.read_header(one, None)["CCDNUM"] == 25
        assert header.read_header(one, "SCI")["EXPNUM"] == 7
        assert [part.shape for part in header.parts(one)] == [None, (3, 4)]
    with pytest.raises(InputError) as error:
        header.read_header(path, 5)
    assert error.value.code == "no_hdu"


@pytest.mark.parametrize(
    ("content", "code"), [(b"", "not_fits"), (b"hello", "not_fits"), (b"\x1f\x8bx", "truncated_fits")]
)
def test_what_is_no_fits_file_is_refused(tmp_path, content, code):
    path = tmp_path / "a.fits"
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        header.parts(path)
    assert error.value.code == code


@pytest.mark.parametrize("keep", [100, 2880, 3000, 40000])
def test_a_file_that_breaks_off_is_refused(tmp_path, keep):
    path = tmp_path / "a.fits"
    fits.PrimaryHDU(np.zeros((200, 200), np.int16)).writeto(path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError) as error:
        header.parts(path)
    assert error.value.code == "truncated_fits"


def test_a_wcs_tells_the_middle_and_the_turn_of_a_frame():
    rolled = {"CD1_1": -4.3e-7, "CD1_2": 7.29e-5, "CD2_1": -7.29e-5, "CD2_2": -4.2e-7}
    rolled |= {"CRPIX1": -581.2, "CRPIX2": -6954.7}
    for more, pa in (({}, 0.0), ({"CDELT1": 1e-4, "CDELT2": -1.1e-4}, 180.0), (rolled, 90.33)):
        contents = TAN | more
        words = header.wcs_words(contents, (400, 300))
        assert WCS(contents).all_pix2world([[149.5, 199.5]], 0)[0] == pytest.approx([words["WCS-RA"], words["WCS-DEC"]])
        assert abs(abs(words["WCS-PA"]) - pa) < 0.5
    assert header.wcs_words({"CTYPE1": "LINEAR"}, (400, 300)) == {}
    assert header.wcs_words({}, (400, 300)) == {}
