"""Headers into facts, by the keyword maps of the cameras."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rawfile
from astropy.io import fits
from astropy.time import Time

from hscdb.camera.load import load
from hscdb.errors import InputError
from hscdb.ingest import times
from hscdb.ingest.rules import angle, quantity
from hscdb.ingest.translate import field_name, translate

DATA = Path(__file__).parent / "data"


def dump(name: str) -> dict[str, Any]:
    """The header of a text dump: KEY = value / comment."""
    lines = [line for line in (DATA / f"{name}.txt").read_text().splitlines() if re.match(r"^[A-Z0-9_-]+ *= ", line)]
    cards = [fits.Card.fromstring(f"{line[:8]:8}= {line.split('=', 1)[1].strip()}") for line in lines]
    return {card.keyword: card.value for card in cards}


@pytest.fixture(scope="module")
def hsc():
    return load("hsc")


def test_the_real_header_of_2013_tells_what_it_is(hsc):
    facts = translate(hsc, dump("HSCA90402512"))
    assert (facts.visit, facts.ccd, facts.data_type) == (904024, 50, "science")
    assert (facts.filter, facts.band, facts.field, facts.proposal) == ("HSC-I", "i", "STRIPE82L", "o13015")
    assert (facts.exp_id, facts.frame_id, facts.pointing) == ("HSCA90402400", "HSCA90402512", 671)
    assert (facts.ra, facts.dec) == pytest.approx((320.749925, 0.500019444), abs=1e-8)
    assert facts.rotator_deg == 0.0
    assert abs((facts.obs_start - datetime(2013, 11, 2, 6, 15, 55, 908000, UTC)).total_seconds()) < 1e-3
    middle = Time("2013-11-02T06:16:11.918", scale="utc").tai.mjd  # between UT-STR and UT-END
    assert abs(facts.obs_mjd - middle) * 86400 < 2e-3
    assert facts.exposure_s == 30.0
    assert facts.ccd_temp_k == pytest.approx(171.992)


def test_the_real_header_of_2015_tells_what_it_is(hsc):
    facts = translate(hsc, dump("HSCA04090107"))
    assert (facts.visit, facts.ccd, facts.filter, facts.field) == (40900, 37, "HSC-R", "SSP_WIDE")
    assert (facts.pointing, facts.exposure_s) == (1378, 150.0)
    assert abs(facts.obs_mjd - Time("2015-10-10T08:21:22.526", scale="utc").tai.mjd) * 86400 < 2e-3


@pytest.mark.parametrize(
    ("exp_id", "frame_id", "visit"),
    [
        ("HSCA90402400", "HSCA90402512", 904024),
        ("HSCE00012345", "HSCA01234500", 12345),  # since June 2016
        ("HSCA00000000", "HSCA02234904", 22348),  # EXP-ID lost: FRAMEID, rounded down to even
        ("HSCB00000000", "HSCB02234804", 1022348),
        ("HSCC00123400", "HSCC00123455", 2001234),
    ],
)
def test_visits_of_both_numbering_schemes(hsc, exp_id, frame_id, visit):
    assert translate(hsc, rawfile.HSC | {"EXP-ID": exp_id, "FRAMEID": frame_id}).visit == visit


def test_wrong_numbers_of_the_second_commissioning_run_are_mapped(hsc):
    then = {"MJD-STR": 56320.4, "MJD-END": None, "DATE-OBS": "2013-01-28"}
    assert translate(hsc, rawfile.HSC | then | {"DET-ID": 112}).ccd == 106
    assert translate(hsc, rawfile.HSC | then | {"DET-ID": 50}).ccd == 50
    assert translate(hsc, rawfile.HSC | {"DET-ID": 108}).ccd == 108
    assert translate(hsc, rawfile.HSC | then | {"DET-ID": 108}).ccd == 110
    with pytest.raises(InputError) as error:
        translate(hsc, rawfile.HSC | {"DET-ID": 112})
    assert error.value.code == "unknown_ccd"


@pytest.mark.parametrize(
    ("data_typ", "is_"),
    [("OBJECT", "science"), ("STANDARD_STAR", "science"), ("BIAS", "bias"), ("DARK", "dark"), ("DOMEFLAT", "flat"),
     ("SKYFLAT", "other"), ("FOCUSING", "other"), ("AGEXP", "other")],
)  # fmt: skip
def test_types_of_frames(hsc, data_typ, is_):
    assert translate(hsc, rawfile.HSC | {"DATA-TYP": data_typ}).data_type == is_


def test_an_exposure_is_as_long_as_its_shutter_was_open(hsc):
    early = translate(hsc, rawfile.HSC | {"MJD-END": 56598.2611, "EXPTIME": 200.0})
    assert (early.obs_mjd - times.to_tai(56598.26106374757)) * 86400 == pytest.approx(100.0, abs=1e-3)
    clocks = translate(hsc, rawfile.HSC | {"MJD-STR": None, "MJD-END": None})
    assert abs(clocks.obs_mjd - translate(hsc, rawfile.HSC).obs_mjd) * 86400 < 2e-3
    midnight = {"MJD-STR": None, "MJD-END": None, "UT-STR": "23:59:50", "UT-END": "00:00:30", "EXPTIME": 30.0}
    over = translate(hsc, rawfile.HSC | midnight)
    assert (over.obs_mjd - times.to_tai(56598.0 + 86390 / 86400)) * 86400 == pytest.approx(20.0, abs=1e-3)


def test_an_exposure_of_less_than_no_time_is_refused(hsc):
    with pytest.raises(InputError, match="exposure_s is -30, no time is negative") as refused:
        translate(hsc, rawfile.HSC | {"EXPTIME": -30.0})
    assert refused.value.code == "bad_keyword"


@pytest.mark.parametrize("change", [{"MJD-STR": "nan"}, {"MJD-STR": 1e12}, {"MJD-STR": "-inf"}, {"EXPTIME": 1e20}])
def test_a_time_that_is_no_date_is_refused(hsc, change):
    with pytest.raises(InputError, match=r"time of the exposure is not understood .*no date in the years") as refused:
        translate(hsc, rawfile.HSC | change)
    assert refused.value.code == "bad_keyword"


def test_a_day_that_is_none_leaves_the_pointing_to_the_start(hsc):
    assert translate(hsc, rawfile.HSC | {"MJD": "nan"}).pointing == translate(hsc, rawfile.HSC).pointing


@pytest.mark.parametrize("mjd", [41317.5, 45000.0, 56598.26, 57203.0, 57204.0, 57754.0, 60000.0])
def test_tai_agrees_with_astropy(mjd):
    assert times.to_tai(mjd) == pytest.approx(Time(mjd, format="mjd", scale="utc").tai.mjd, abs=1e-10)
    assert times.to_utc(times.to_tai(mjd)) == pytest.approx(mjd, abs=1e-10)


def test_dates_and_clocks():
    assert times.of_date("2013-11-02T06:00:00.0") == 56598.25
    assert times.of_date("02/11/93") == Time("1993-11-02").mjd
    assert times.of_clock("23:59:60.5") == pytest.approx(1.0 + 0.5 / 86400)
    for text in ("25:00:00", "12", "12:61:00", "noon"):
        with pytest.raises(ValueError):
            times.of_clock(text)
    assert times.of_rule({"iso": "DATE-OBS"}, {"DATE-OBS": "2013-11-02"}) is None
    assert times.of_clock("092331.5") == pytest.approx((9 * 3600 + 23 * 60 + 31.5) / 86400)
    rule = {"iso": "BPM", "regex": r"(\d{8}T\d{6})"}
    found = times.of_rule(rule, {"BPM": "DEC18B_20180801K_92470a2-i-20180804T092331_od[N6]"})
    assert found == pytest.approx(Time("2018-08-04T09:23:31").mjd, abs=1e-9)
    assert times.of_rule(rule, {"BPM": "none"}) is None
    assert times.of_rule(rule, {}) is None


@pytest.mark.parametrize(
    ("text", "unit", "degrees"),
    [("21:22:59.982", "hour", 320.749925), ("-00:30:00.07", "deg", -0.50001944444), ("10 30 00", "hour", 157.5),
     ("10h30m00s", "hour", 157.5), ("+12d30m", "deg", 12.5), ("157.5", "hour", 157.5), (157.5, "hour", 157.5)],
)  # fmt: skip
def test_angles(text, unit, degrees):
    assert angle(text, unit) == pytest.approx(degrees, abs=1e-9)


@pytest.mark.parametrize("text", ["12:75:00", "north", "12", "1:2:3:4"])
def test_what_is_no_angle_is_refused(text):
    if text == "12":
        assert angle(text, "deg") == 12.0
        return
    with pytest.raises(ValueError):
        angle(text, "deg")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"EXP-ID": None}, "other_camera"),
        ({"DET-ID": None}, "missing_keyword"),
        ({"FILTER01": None}, "missing_keyword"),
        ({"EXPTIME": None}, "missing_keyword"),
        ({"RA2000": None}, "missing_keyword"),
        ({"MJD-STR": None, "UT-STR": None, "MJD": None}, "missing_keyword"),
        ({"FILTER01": "HSC-Q"}, "unknown_filter"),
        ({"DET-ID": 150}, "unknown_ccd"),
        ({"RA2000": "21:99:00"}, "bad_keyword"),
        ({"DEC2000": "95:00:00"}, "bad_keyword"),
        ({"EXPTIME": float("nan")}, "bad_keyword"),
        ({"EXP-ID": "HSCE99999999"}, "visit_too_large"),
    ],
)
def test_what_a_science_frame_must_tell(hsc, change, code):
    header = {key: value for key, value in (rawfile.HSC | change).items() if value is not None}
    with pytest.raises(InputError) as error:
        translate(hsc, header)
    assert error.value.code == code
    assert str(error.value).rstrip().endswith((".", "?"))


def test_a_bias_may_be_silent_about_the_sky(hsc):
    change = {"DATA-TYP": "BIAS", "FILTER01": "??", "RA2000": "x", "DEC2000": None, "AIRMASS": "none"}
    facts = translate(hsc, rawfile.HSC | change)
    assert (facts.filter, facts.ra, facts.airmass) == (None, None, None)


def test_contents_of_another_type_than_usual_are_understood(hsc):
    facts = translate(hsc, rawfile.HSC | {"INST-PA": 12.5, "EXPTIME": "30.0", "AIRMASS": "1.2", "DET-ID": "7"})
    assert (facts.rotator_deg, facts.exposure_s, facts.airmass, facts.ccd) == (12.5, 30.0, 1.2, 7)


def test_names_of_fields():
    assert [field_name(text) for text in ("SSP-Wide", " a b ", "#", None)] == ["SSP_WIDE", "A_B", "UNKNOWN", "UNKNOWN"]


def test_rules_try_one_after_the_other():
    rules = {"q": [{"keyword": "A", "map": {"x": 1}}, {"keyword": ["B", "C"], "range": [0.0, 10.0]}, {"value": 7}]}
    assert quantity("q", rules, {"A": "x"}) == 1
    assert quantity("q", rules, {"A": "y", "C": 5}) == 5.0
    assert quantity("q", rules, {"A": "y", "B": " ", "C": 50}) == 7


def test_exposures_of_last_have_visits_of_their_own():
    last = load("last")
    header = {"CROPID": 16.0, "FILTER": "clear", "EXPTIME": 20.0, "M_JRA": 124.7, "M_JDEC": 3.0, "IMTYPE": "sci"}
    starts = 2460373.30006427 + np.arange(2000) * 19.95 / 86400
    visits = [translate(last, header | {"JD": start, "LEVEL": "proc"}).visit for start in starts]
    assert len(set(visits)) == len(visits)
    coadd = translate(last, header | {"JD": starts[0], "LEVEL": "coadd"}).visit
    assert coadd not in visits
