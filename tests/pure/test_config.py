"""Settings are resolved in one order, typed, and told apart by name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from hscdb.errors import ConfigError
from hscdb.run import config
from hscdb.run.config import setting


@dataclass(frozen=True)
class Match:
    """Settings for the tests."""

    radius_arcsec: float = setting(1.0, "largest separation", unit="arcsec", was="radXMatch")
    n_visit_min: int = setting(2, "visits a star must be seen in", was="numSourceMerge")
    do_flat: bool = setting(True, "divide by the flat")
    bands: tuple[str, ...] = setting(("r", "i"), "bands")
    box: tuple[int, int] = setting((3, 4), "a pair")
    limit_mag: float | None = setting(None, "faintest star")
    model: str = setting("spline", "kind of fit", choices=("spline", "chebyshev"))


@dataclass(frozen=True)
class Empty:
    """No settings."""


CONFIGS = {"match": Match, "qa": Empty}


def one(word: str) -> object:
    """The value `match` gets from one word."""
    name = word.partition("=")[0]
    return config.resolve(CONFIGS, words=[f"match.{word}"]).values["match"][name]


@pytest.mark.parametrize(
    ("word", "wanted"),
    [
        ("radius_arcsec=2", 2.0),
        ("radius_arcsec=1e-3", 0.001),
        ("n_visit_min=5", 5),
        ("n_visit_min=1e3", 1000),
        ("do_flat=False", False),
        ("do_flat=no", False),
        ("do_flat=1", True),
        ("bands=g,r", ("g", "r")),
        ("bands=['g', 'r']", ("g", "r")),
        ("bands=", ()),
        ("box=[5, 6]", (5, 6)),
        ("limit_mag=None", None),
        ("limit_mag=21", 21.0),
        ("model=chebyshev", "chebyshev"),
        ("model='spline'", "spline"),
    ],
)
def test_words_are_typed_by_the_declaration(word: str, wanted: object) -> None:
    got = one(word)
    assert got == wanted
    assert type(got) is type(wanted)


@pytest.mark.parametrize(
    "word",
    [
        "radius_arcsec=wide",
        "radius_arcsec=nan",
        "n_visit_min=2.5",
        "do_flat=maybe",
        "box=1,2,3",
        "box=1,b",
        "model=cubic",
    ],
)
def test_a_value_of_another_type_is_refused(word: str) -> None:
    with pytest.raises(ConfigError) as caught:
        one(word)
    assert caught.value.code == "bad_setting"
    assert word.partition("=")[0] in str(caught.value)


def test_unknown_names_tell_the_nearest_and_the_legal_ones() -> None:
    with pytest.raises(ConfigError, match=r"did you mean 'radius_arcsec'\?.*n_visit_min") as caught:
        one("radius_arcsecs=1")
    assert caught.value.code == "unknown_setting"
    with pytest.raises(ConfigError, match=r"did you mean 'match'\?.*qa"):
        config.resolve(CONFIGS, words=["mtch.radius_arcsec=1"])
    with pytest.raises(ConfigError, match="hscPipe's radXMatch is 'radius_arcsec'"):
        one("radXMatch=1")
    with pytest.raises(ConfigError, match="has no settings"):
        config.resolve(CONFIGS, words=["qa.colour=1"])


def test_a_word_without_a_stage_means_the_stage_of_the_command() -> None:
    assert config.resolve(CONFIGS, words=["n_visit_min=7"], stage="match").values["match"]["n_visit_min"] == 7
    with pytest.raises(ConfigError, match="no stage named"):
        config.resolve(CONFIGS, words=["n_visit_min=7"])


def test_later_layers_win_and_the_history_tells_who_spoke(tmp_path: Path) -> None:
    file = tmp_path / "more.toml"
    file.write_text("[match]\nn_visit_min = 4\nlimit_mag = 21\nbands = ['g']\n")
    repository = {"match": {"n_visit_min": 3, "radius_arcsec": 2}}
    camera = {"match": {"radius_arcsec": 9, "box": [1, 2]}}
    told = config.resolve(CONFIGS, camera=camera, repository=repository)
    assert told.values["match"]["radius_arcsec"] == 2.0
    assert told.history["match.box"][-1][0] == "camera"
    settings = config.resolve(CONFIGS, repository=repository, files=[file], words=["match.n_visit_min=5"])
    assert settings.config("match", Match) == Match(radius_arcsec=2.0, n_visit_min=5, bands=("g",), limit_mag=21.0)
    said = settings.history["match.n_visit_min"]
    assert said == [("default", 2), ("hscdb.toml", 3), (str(file), 4), ("--config", 5)]


def test_settings_survive_json(tmp_path: Path) -> None:
    settings = config.resolve(CONFIGS, words=["match.bands=g,r,i", "match.limit_mag=20.5"])
    import json

    back = config.Settings(json.loads(settings.json))
    assert back.config("match", Match) == settings.config("match", Match)
    assert back.sha256 == settings.sha256
    assert config.differences(settings.values, json.loads(settings.json)) == {}


def test_the_hash_tells_settings_apart_whatever_their_order() -> None:
    plain = config.resolve(CONFIGS)
    turned = config.resolve({"qa": Empty, "match": Match})
    assert plain.sha256 == turned.sha256
    assert plain.sha256 != config.resolve(CONFIGS, words=["match.box=4,3"]).sha256


def test_differences_are_listed_by_name() -> None:
    old = config.resolve(CONFIGS).values
    new = config.resolve(CONFIGS, words=["match.do_flat=no", "match.limit_mag=20"]).values
    assert config.differences(old, new) == {"match.do_flat": (True, False), "match.limit_mag": (None, 20.0)}
    assert config.differences(old, new, ["qa"]) == {}


def test_a_python_override_file_is_explained(tmp_path: Path) -> None:
    file = tmp_path / "mosaic.py"
    file.write_text("config.isr.doFringe = False\n")
    with pytest.raises(ConfigError, match=r"Python override of hscPipe.*Write TOML"):
        config.read_file(file)
    with pytest.raises(ConfigError, match="cannot be read"):
        config.read_file(tmp_path / "absent.toml")


def test_a_setting_outside_a_stage_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "flat.toml"
    file.write_text("n_visit_min = 3\n")
    with pytest.raises(ConfigError, match="not a stage"):
        config.resolve(CONFIGS, files=[file])


def test_changeable_defaults_are_refused() -> None:
    with pytest.raises(TypeError):
        setting([1, 2], "a list")
