"""The --id grammar is hscPipe's."""

import json

import pytest

from hscdb.errors import ConfigError
from hscdb.run import select


def ids(*words: str) -> dict[str, list[object]]:
    """The parsed form of one --id."""
    return select.parse([list(words)]).ids[0]


def expand(ranges: list[object]) -> list[int]:
    """Every whole number of [first, last, stride] triples."""
    return [n for first, last, step in ranges for n in range(first, last + 1, step)]  # type: ignore[misc]


@pytest.mark.parametrize(
    ("word", "wanted"),
    [
        ("visit=1..5", [1, 2, 3, 4, 5]),
        ("visit=1..10:2", [1, 3, 5, 7, 9]),
        ("visit=902798..902808:2", [902798, 902800, 902802, 902804, 902806, 902808]),
        ("visit=7", [7]),
        ("visit=1^3..5^9", [1, 3, 4, 5, 9]),
        ("visit=3..3", [3]),
        ("pointing=1..7:3^20", [1, 4, 7, 20]),
        ("tract=0", [0]),
    ],
)
def test_ranges_strides_and_unions_expand_as_in_hscpipe(word: str, wanted: list[int]) -> None:
    ((_, values),) = ids(word).items()
    assert expand(values) == wanted


def test_a_hole_in_the_ccds_is_two_ranges() -> None:
    assert ids("ccd=0..8^10..103")["ccd"] == [ccd for ccd in range(104) if ccd != 9]


def test_ccds_come_sorted_and_once_and_stop_at_the_largest_possible() -> None:
    assert ids("ccd=5^3^4..5")["ccd"] == [3, 4, 5]
    assert ids("ccd=198..9999999999")["ccd"] == [198, 199]


def test_strings_are_joined_by_or() -> None:
    assert ids("filter=HSC-I^HSC-R", "field=SSP_WIDE", "proposal=o15426") == {
        "filter": ["HSC-I", "HSC-R"],
        "field": ["SSP_WIDE"],
        "proposal": ["o15426"],
    }


def test_old_key_names_mean_ours() -> None:
    parsed = ids("dateObs=2013-06-17", "taiObs=2013-06-18", "expTime=30", "pa=90.5")
    assert parsed == {"night": ["2013-06-17"], "tai_date": ["2013-06-18"], "exposure_s": [30.0], "rotator_deg": [90.5]}


def test_a_patch_is_text() -> None:
    assert ids("patch=1,1^1,2")["patch"] == ["1,1", "1,2"]


def test_several_ids_add_up_and_bare_id_is_everything() -> None:
    assert [sorted(each) for each in select.parse([["visit=1"], ["ccd=2", "visit=3"]]).ids] == [
        ["visit"],
        ["ccd", "visit"],
    ]
    for everything in (select.parse([[]]), select.parse(None), select.parse([])):
        assert everything.ids == ({},)
        assert not everything.is_given
    assert not select.parse([["visit=1"], []]).is_given
    assert select.parse([["visit=1"]]).is_given
    assert select.parse(None, "ccd = 3").is_given


def test_an_alias_and_its_key_are_the_same_key() -> None:
    with pytest.raises(ConfigError, match="twice"):
        ids("night=2013-06-17", "dateObs=2013-06-18")


@pytest.mark.parametrize(
    ("word", "code", "text"),
    [
        ("visit=1..", "bad_id", "whole number"),
        ("visit=a", "bad_id", "whole number"),
        ("visit=-1", "bad_id", "whole number"),
        ("visit=5..1", "bad_id", "empty"),
        ("visit=1..5:0", "bad_id", "stride"),
        ("visit=1^", "bad_id", "missing"),
        ("visit", "bad_id", "key=values"),
        ("vist=1", "unknown_key", "did you mean 'visit'"),
        ("expTime=long", "bad_id", "not a number"),
        ("expTime=1..3", "bad_id", "BETWEEN"),
        ("dateObs=2013-06-17..2013-06-20", "bad_id", "BETWEEN"),
        ("dateObs=17.6.2013", "bad_id", "not a date"),
    ],
)
def test_what_is_wrong_is_said(word: str, code: str, text: str) -> None:
    with pytest.raises(ConfigError, match=text) as caught:
        ids(word)
    assert caught.value.code == code
    assert caught.value.exit_status == 2


def test_a_key_given_twice_is_an_error() -> None:
    with pytest.raises(ConfigError, match="twice"):
        ids("visit=1", "visit=2")


def test_huge_ranges_stay_small() -> None:
    parsed = select.parse([["visit=0..99999999999"]])
    assert json.loads(parsed.json) == [{"visit": [[0, 99999999999, 1]]}]


def test_a_selection_is_described_in_its_own_grammar() -> None:
    words = ["visit=1..9:2^20", "filter=HSC-I^HSC-R"]
    assert select.parse([words], "seeing_arcsec < 0.8").describe() == (
        '--id visit=1..9:2^20 filter=HSC-I^HSC-R --where "seeing_arcsec < 0.8"'
    )


def test_shown_data_ids_look_like_hscpipes() -> None:
    line = select.data_id_line({"visit": 903334, "ccd": 23, "filter": "HSC-R", "exposure_s": 30.0})
    assert line == "id dataRef.dataId = {'visit': 903334, 'ccd': 23, 'filter': 'HSC-R', 'expTime': 30.0}"
