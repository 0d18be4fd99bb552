"""config, stages, help: what there is to know before running anything."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from difflib import get_close_matches
from typing import TYPE_CHECKING

from hscdb.cli import options
from hscdb.errors import ConfigError

if TYPE_CHECKING:
    from hscdb.run.config import Knob


def arguments(parser: argparse.ArgumentParser, name: str) -> Callable[[argparse.Namespace], int]:
    """The arguments of config, stages and help."""
    if name == "config":
        parser.description = "List the settings of a stage (or of all): default, unit, meaning, hscPipe's name."
        parser.epilog = (
            "examples:\n  hscdb config mosaic\n  hscdb config detect --toml > detect.toml\n"
            "  hscdb config isr --repository REPO --rerun first      what a run was made with"
        )
        parser.add_argument("stage", nargs="?", metavar="STAGE", help="a stage [all]")
        parser.add_argument("--toml", action="store_true", help="as a file for --configfile")
        parser.add_argument("--repository", metavar="REPO", help="with --rerun: show what a run was made with")
        parser.add_argument("--rerun", metavar="NAME", help="the run")
        parser.add_argument("--dsn", help=argparse.SUPPRESS)
        return config
    if name == "stages":
        parser.description = "The stages in order: what each works on, reads and writes."
        return stages
    parser.description = "Help on a command of hscdb, or what has become of an hscPipe command."
    parser.epilog = "examples:\n  hscdb help mosaic\n  hscdb help calibrateCatalog.py\n  hscdb help hscpipe"
    about = "a command of hscdb or hscPipe; `hscpipe` lists the latter"
    parser.add_argument("topic", nargs="?", metavar="TOPIC", help=about)
    return helping


def config(args: argparse.Namespace) -> int:
    """List settings."""
    from hscdb import pipeline
    from hscdb.run.config import knobs

    configs = {args.stage: pipeline.config(args.stage)} if args.stage in pipeline.ORDER else pipeline.configs()
    if args.stage is not None and args.stage not in configs:
        near = get_close_matches(args.stage, configs, 1)
        guess = f"; did you mean '{near[0]}'?" if near else "."
        raise ConfigError(f"no stage '{args.stage}'{guess} Stages: {', '.join(configs)}.", code="unknown_stage")
    stored = _stored(args)
    for stage in [args.stage] if args.stage else list(configs):
        rows = list(knobs(stage, configs[stage]).values())
        held = stored.get(stage, {})
        if args.toml:
            _toml(stage, rows, held)
            continue
        print(f"{stage}: {len(rows) or 'no'} setting{'s' * (len(rows) != 1)}")
        for knob in rows:
            value = held.get(knob.name, knob.default)
            unit = f" {knob.unit}" if knob.unit else ""
            note = f"  (default {knob.default!r})" if value != knob.default and list(held) else ""
            print(f"  {stage}.{knob.name} = {value!r}{unit}{note}")
            legal = f"; one of {', '.join(map(str, knob.choices))}" if knob.choices else ""
            was = f"; hscPipe: {knob.was}" if knob.was else ""
            print(f"      {knob.help}{legal}{was}")
    return 0


def _stored(args: argparse.Namespace) -> dict[str, dict[str, object]]:
    """The settings a run was made with, if one was named."""
    if not args.rerun:
        return {}
    if not args.repository:
        raise ConfigError("hscdb config --rerun: of which repository? Add --repository REPO.", code="usage")
    from hscdb.db.engine import transaction
    from hscdb.run.rerun import existing

    with options.opened(args) as repository, transaction(repository.engine) as connection:
        return dict(existing(connection, args.rerun)["settings"])


def _toml(stage: str, rows: list[Knob], held: dict[str, object]) -> None:
    from hscdb.cli.preview import toml

    print(f"[{stage}]")
    for knob in rows:
        value = held.get(knob.name, knob.default)
        about = knob.help + (f" [{knob.unit}]" if knob.unit else "")
        print(f"# {about}\n" + (f"{knob.name} = {toml(value)}" if value is not None else f"# {knob.name} ="))
    print()


def stages(args: argparse.Namespace) -> int:
    """The pipeline in one table."""
    from hscdb.cli.show import table
    from hscdb.cli.stages import stage_list

    rows = []
    for stage in stage_list():
        about = " ".join(stage.help.split("\n\n")[0].split())
        rows.append((stage.name, stage.per, ", ".join(stage.needs), ", ".join(stage.writes), about))
    table(("stage", "one task per", "needs", "writes", "does"), rows)
    return 0


def helping(args: argparse.Namespace) -> int:
    """Help on a topic."""
    from hscdb.cli import commands, heritage
    from hscdb.cli.old import WAYS
    from hscdb.cli.show import table

    if args.topic is None:
        print(commands.overview())
        return 0
    if args.topic in {command.name for command in commands.COMMANDS}:
        commands.parse([args.topic, "--help"])
        return 0
    if args.topic.lower() == "hscpipe":
        table(("hscPipe", "hscdb", "note"), [(old, ours or "-", note) for old, (ours, note) in heritage.HEIRS.items()])
        return 0
    ours = heritage.heir(args.topic)
    if ours is None:
        near = heritage.nearest(args.topic)
        guess = f"; did you mean {near}?" if near else "."
        raise ConfigError(
            f"no topic '{args.topic}'{guess} `hscdb help hscpipe` lists hscPipe's commands.", code="unknown_command"
        )
    print(f"{args.topic}: {ours}")
    if args.topic.removesuffix(".py") + ".py" in WAYS:
        print("The old command is installed too and takes its old options.")
    return 0
