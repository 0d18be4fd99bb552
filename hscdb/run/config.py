"""Settings: declared where they act, resolved in one order, told apart by name.

A stage declares its knobs as a frozen dataclass whose fields are made by `setting()`. A run holds the resolved
settings of all stages: defaults < [settings] of the camera < [settings] of hscdb.toml < --configfile < --config.
`Settings` remembers who spoke.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_type_hints

from hscdb.errors import ConfigError
from hscdb.run.parse import type_name, typed, typed_text

Layer = Mapping[str, Mapping[str, Any]]


def setting(default: Any, help: str, *, unit: str = "", was: str = "", choices: tuple[Any, ...] = ()) -> Any:
    """A field of a stage's Config: its default, meaning, unit, hscPipe's name of it (was) and its legal words."""
    metadata = {"help": help, "unit": unit, "was": was, "choices": choices}
    if isinstance(default, list | dict | set):
        raise TypeError("a setting is immutable: give a tuple")
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Knob:
    """One setting of one stage, as `hscdb config` lists it."""

    stage: str
    name: str
    type: Any
    default: Any
    help: str
    unit: str
    was: str
    choices: tuple[Any, ...]


def knobs(stage: str, config: type) -> dict[str, Knob]:
    """The settings a Config dataclass declares, by name, in order of declaration."""
    hints = get_type_hints(config)
    found = {}
    for each in dataclasses.fields(config):
        about = each.metadata
        found[each.name] = Knob(
            stage,
            each.name,
            hints[each.name],
            each.default,
            about.get("help", ""),
            about.get("unit", ""),
            about.get("was", ""),
            about.get("choices", ()),
        )
    return found


@dataclass(frozen=True)
class Settings:
    """Resolved settings of all stages.

    values  : {stage: {name: value}}, plain Python values.
    history : {stage.name: [(where it was said, value), ...]}, the last one holds.
    """

    values: dict[str, dict[str, Any]]
    history: dict[str, list[tuple[str, Any]]] = field(default_factory=dict, compare=False)

    def config(self, stage: str, config: type) -> Any:
        """The Config instance of a stage."""
        return build(stage, config, self.values.get(stage, {}))

    @property
    def json(self) -> str:
        """Canonical JSON: sorted names, no blanks; equal settings give equal text."""
        return canonical(self.values)

    @property
    def sha256(self) -> str:
        """SHA-256 of the canonical JSON."""
        return hashlib.sha256(self.json.encode()).hexdigest()


def canonical(values: Any) -> str:
    """JSON with sorted keys and no blanks; NaN and infinity are refused (ValueError)."""
    return json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def build(stage: str, config: type, values: Mapping[str, Any]) -> Any:
    """A Config from stored values (as JSON gives them: lists for tuples). Names no longer known are left out."""
    known = knobs(stage, config)
    return config(**{name: typed(value, known[name].type) for name, value in values.items() if name in known})


def defaults(configs: Mapping[str, type]) -> dict[str, dict[str, Any]]:
    """{stage: {name: default}} of all stages."""
    return {stage: {knob.name: knob.default for knob in knobs(stage, each).values()} for stage, each in configs.items()}


def resolve(
    configs: Mapping[str, type],
    *,
    camera: Layer | None = None,
    repository: Layer | None = None,
    files: Iterable[Path] = (),
    words: Iterable[str] = (),
    stage: str | None = None,
) -> Settings:
    """Settings of all stages: defaults < camera < repository < files < words (each `stage.name=value`).

    configs : {stage: Config dataclass}.
    stage   : the stage meant by a word without one (`--config n=3` of `hscdb match`).
    Raises ConfigError: unknown stage or name (with the nearest one), a value of another type, a file that is no TOML.
    """
    values = defaults(configs)
    history: dict[str, list[tuple[str, Any]]] = {
        f"{each}.{name}": [("default", value)] for each, names in values.items() for name, value in names.items()
    }
    layers: list[tuple[str, Layer]] = [("camera", camera or {}), ("hscdb.toml", repository or {})]
    layers += [(str(path), read_file(path)) for path in files]
    for where, layer in layers:
        for each, names in layer.items():
            if not isinstance(names, Mapping):
                raise ConfigError(
                    f"{where}: '{each}' is not a stage with settings. Write `[{stage or 'isr'}]` above it."
                )
            for name, value in names.items():
                knob = find(configs, each, name, where)
                _store(values, history, knob, _checked(knob, value, where), where)
    for word in words:
        knob, text = _split(configs, word, stage)
        _store(values, history, knob, _checked_text(knob, text), "--config")
    return Settings(values, history)


def _store(values: dict[str, Any], history: dict[str, Any], knob: Knob, value: Any, where: str) -> None:
    values[knob.stage][knob.name] = value
    history[f"{knob.stage}.{knob.name}"].append((where, value))


def _split(configs: Mapping[str, type], word: str, stage: str | None) -> tuple[Knob, str]:
    left, equals, text = word.partition("=")
    if not equals:
        raise ConfigError(f"--config {word}: no '='. Write --config stage.name=value, e.g. --config detect.n_sigma=5.")
    first, dot, name = left.strip().partition(".")
    if not dot:
        if stage is None:
            raise ConfigError(f"--config {word}: no stage named. Write --config stage.{left}=value.")
        first, name = stage, first
    return find(configs, first, name, "--config"), text


def find(configs: Mapping[str, type], stage: str, name: str, where: str = "--config") -> Knob:
    """The knob of this stage and name. ConfigError `unknown_stage` or `unknown_setting`, with the nearest."""
    if stage not in configs:
        near = get_close_matches(stage, configs, 1)
        guess = f"; did you mean '{near[0]}'?" if near else "."
        raise ConfigError(f"{where}: no stage '{stage}'{guess} Stages: {', '.join(configs)}.", code="unknown_stage")
    known = knobs(stage, configs[stage])
    if name in known:
        return known[name]
    for knob in known.values():
        old = knob.was.replace(",", " ").split()
        if name in old or name in [each.rpartition(".")[2] for each in old]:
            unit = f" [{knob.unit}]" if knob.unit else ""
            raise ConfigError(
                f"{where}: no setting '{name}' in stage {stage}; hscPipe's {name} is '{knob.name}'{unit} here.",
                code="unknown_setting",
            )
    near = get_close_matches(name, known, 1, 0.5)
    guess = f"; did you mean '{near[0]}'?" if near else "."
    legal = f"Settings of {stage}: {', '.join(known)}." if known else f"Stage {stage} has no settings."
    raise ConfigError(f"{where}: no setting '{name}' in stage {stage}{guess} {legal}", code="unknown_setting")


def _checked_text(knob: Knob, text: str) -> Any:
    try:
        return _chosen(knob, typed_text(text, knob.type), "--config")
    except ValueError:
        raise _mistyped(knob, text, "--config") from None


def _checked(knob: Knob, value: Any, where: str) -> Any:
    try:
        return _chosen(knob, typed(value, knob.type), where)
    except ValueError:
        raise _mistyped(knob, value, where) from None


def _chosen(knob: Knob, value: Any, where: str) -> Any:
    if knob.choices and value not in knob.choices:
        legal = ", ".join(map(str, knob.choices))
        raise ConfigError(f"{where}: {knob.stage}.{knob.name} = {value!r} is not one of {legal}.", code="bad_setting")
    return value


def _mistyped(knob: Knob, value: Any, where: str) -> ConfigError:
    unit = f" [{knob.unit}]" if knob.unit else ""
    need = f"{type_name(knob.type)}{unit}"
    return ConfigError(
        f"{where}: {knob.stage}.{knob.name} = {value!r} is not of type {need}. The default is {knob.default!r}.",
        code="bad_setting",
    )


def read_file(path: Path) -> dict[str, Any]:
    """A TOML file of settings: `[stage]` tables with `name = value`. ConfigError if it cannot be read as one."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--configfile {path}: cannot be read ({error}). Give a TOML file.", code="no_file") from None
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        if any(line.lstrip().startswith(("config.", "root.", "import ")) for line in text.splitlines()):
            raise ConfigError(
                f"--configfile {path}: this is a Python override of hscPipe; settings files here are data, not "
                "programs. Write TOML: [stage] and below it name = value; `hscdb config STAGE` shows hscPipe's names.",
                code="bad_file",
            ) from None
        raise ConfigError(
            f"--configfile {path}: not TOML ({error}). Write [stage] and below it name = value."
        ) from None
    nested = table.get("settings")
    return nested if isinstance(nested, dict) and set(table) == {"settings"} else table


def differences(old: Layer, new: Layer, stages: Iterable[str] | None = None) -> dict[str, tuple[Any, Any]]:
    """{stage.name: (old, new)} where two settings differ; a name that one side lacks shows as None there.

    Values are compared as JSON, so that a stored list equals a tuple. stages: only these.
    """
    found: dict[str, tuple[Any, Any]] = {}
    for stage in sorted(set(old) | set(new)) if stages is None else stages:
        before, after = old.get(stage, {}), new.get(stage, {})
        for name in sorted(set(before) | set(after)):
            if canonical(before.get(name)) != canonical(after.get(name)):
                found[f"{stage}.{name}"] = (before.get(name), after.get(name))
    return found
