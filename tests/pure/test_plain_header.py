"""Header-only files written card by card are what other programs read."""

import numpy as np
import pytest
from astropy.io import fits

from hscdb.errors import DataError
from hscdb.fits import plain, product

CARDS = [
    ("ORDER", 7, "order"), ("IS", True, ""), ("ISNT", False, "no"), ("C_0_1", -5.148123456789012e-31, "[mag/pix^1]"),
    ("WHOLE", 3e22, "no point in its repr"), ("X0", -1023.951, "[pix] " + "a long comment " * 9),
    ("CTYPE1", "RA---TAN-SIP", "tangent plane"), ("NAME", "it's", ""), ("FLUXMAG0ERR", 1.25e9, "one sigma"),
]  # fmt: skip


def test_astropy_reads_the_same_contents_from_whole_blocks(tmp_path):
    path = tmp_path / "one.fits"
    plain.write(path, CARDS)
    assert path.stat().st_size % 2880 == 0
    with fits.open(path) as opened:
        opened.verify("exception")
        header = opened[0].header
    assert {name: header[name] for name, _, _ in CARDS} == {name: content for name, content, _ in CARDS}
    assert (header["NAXIS"], header.comments["ORDER"]) == (0, "order")
    assert product.read_header(path)["FLUXMAG0ERR"] == 1.25e9


def test_many_cards_fill_more_than_a_block(tmp_path):
    path = tmp_path / "many.fits"
    cards = [(f"C_{i}", float(x), "") for i, x in enumerate(np.random.default_rng(1).normal(size=100) * 1e-20)]
    plain.write(path, cards)
    header = fits.getheader(path)
    assert [header[name] for name, _, _ in cards] == [content for _, content, _ in cards]


@pytest.mark.parametrize("content", [float("nan"), float("inf"), "x" * 80])
def test_what_no_card_can_hold_is_an_error(tmp_path, content):
    with pytest.raises(DataError) as caught:
        plain.write(tmp_path / "bad.fits", [("BAD", content, "")])
    assert caught.value.code == "bad_card"
