"""The list of commands: what each is called, does and takes. Only argparse is imported here."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module

from hscdb import __version__
from hscdb.cli import options
from hscdb.errors import ConfigError


@dataclass(frozen=True)
class Command:
    """One command. module: hscdb.cli.<module>, with functions `arguments(parser, name)` and `run(args)`."""

    name: str
    module: str
    summary: str
    group: str


COMMANDS = tuple(
    Command(*each)
    for each in (
        ("init", "make", "make a repository: folder, database, camera", "data"),
        ("ingest", "make", "enter raw frames", "data"),
        ("ingest-refcat", "make", "enter a reference catalog (Gaia, PS1, any table)", "data"),
        ("ingest-catalog", "make", "enter source lists made elsewhere (LAST, SExtractor, LSST, any table)", "data"),
        ("simulate", "sky", "write simulated raw frames, reference catalogs and truth", "data"),
        ("master", "stages", "combine bias, dark and flat frames", "pipeline"),
        ("isr", "stages", "raw frame -> clean image", "pipeline"),
        ("detect", "stages", "clean image -> sources", "pipeline"),
        ("calibrate", "stages", "first WCS and zero point of each frame", "pipeline"),
        ("skymap", "stages", "define tracts and patches", "pipeline"),
        ("match", "stages", "the same stars across visits and to the references", "pipeline"),
        ("mosaic", "stages", "joint WCS and flux scale of all visits", "pipeline"),
        ("apply", "stages", "solution -> calibrated images and catalogs", "pipeline"),
        ("qa", "stages", "metrics and plots", "pipeline"),
        ("run", "stages", "a span of stages, e.g. isr..mosaic", "pipeline"),
        ("display", "display", "a CCD, a focal plane or a patch on DS9, by SAMP, as a picture", "look"),
        ("status", "look", "how far runs and stages are; what failed and why", "look"),
        ("query", "look", "SELECT, read only, as table, CSV, ECSV, FITS, VOTable or Parquet", "look"),
        ("config", "settings", "settings of the stages", "look"),
        ("stages", "settings", "the pipeline in one table", "look"),
        ("help", "settings", "our command for an hscPipe command, or the help of a command", "look"),
        ("connect", "server", "how to connect psql, Java and TOPCAT; switch TCP on", "database"),
        ("psql", "server", "PostgreSQL's shell on the database", "database"),
        (
            "db",
            "server",
            "start, stop, migrate, status, describe, functions, size, check, archive, reader, watch",
            "database",
        ),
        ("rerun", "keep", "list, show, compare or delete runs", "keep"),
        ("gc", "keep", "remove litter: temporary files and files without a row", "keep"),
        ("truth", "sky", "a run on simulated frames against their truth", "look"),
        ("demo", "sky", "simulate a field and take it through every stage", "data"),
    )
)
_BY_NAME = {command.name: command for command in COMMANDS}
_GROUPS = {
    "data": "Data",
    "pipeline": "Pipeline, in order",
    "look": "Looking",
    "database": "Database",
    "keep": "Housekeeping",
}


def overview() -> str:
    """The text of `hscdb --help`."""
    lines = [
        "usage: hscdb COMMAND ...",
        "",
        "Data reduction for wide-field mosaic cameras, with PostgreSQL at its heart.",
    ]
    for group, title in _GROUPS.items():
        lines += ["", f"{title}:"]
        lines += [f"  {each.name:<15} {each.summary}" for each in COMMANDS if each.group == group]
    lines += [
        "",
        "hscdb COMMAND --help tells more, with examples. hscdb help processCcd.py tells what has become of an hscPipe",
        "command. Exit status: 0 all done, 1 some tasks failed, 2 usage or settings, 3 the schema does not fit.",
    ]
    return "\n".join(lines)


def parse(words: Sequence[str]) -> argparse.Namespace | None:
    """The arguments of a command line, with the function to run as `command`; None when help was all it asked for."""
    if not words or words[0] in ("-h", "--help"):
        print(overview())
        return None
    if words[0] in ("-V", "--version"):
        print(f"hscdb {__version__}")
        return None
    command = find(words[0])
    module = import_module(f"hscdb.cli.{command.module}")
    parser = options.Parser(prog=f"hscdb {command.name}")
    run: Callable[[argparse.Namespace], int] = module.arguments(parser, command.name)
    parser.set_defaults(command=run, name=command.name)
    # Only so are options allowed between a needed word and one that may be left out: query REPO --format csv STATEMENT.
    counts = {action.nargs for action in parser._get_positional_actions()}
    read = parser.parse_intermixed_args if counts == {None, "?"} else parser.parse_args
    try:
        return read(list(words[1:]))
    except SystemExit as leaving:  # --help has printed
        if leaving.code:
            raise
        sys.stdout.flush()
        return None


def find(name: str) -> Command:
    """The command of a name. ConfigError `unknown_command`, with the nearest, or the heir of an hscPipe command."""
    if name in _BY_NAME:
        return _BY_NAME[name]
    from hscdb.cli.heritage import heir

    ours = heir(name)
    if ours is not None:
        raise ConfigError(f"'{name}' is a command of hscPipe; here: {ours}.", code="unknown_command")
    near = get_close_matches(name, _BY_NAME, 1, 0.5)
    guess = f"; did you mean '{near[0]}'?" if near else "."
    raise ConfigError(f"no command '{name}'{guess} `hscdb --help` lists them.", code="unknown_command")
