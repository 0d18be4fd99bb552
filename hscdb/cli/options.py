"""Options that several commands share, and the words of a command turned into what the machinery takes."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from hscdb.errors import ConfigError

if TYPE_CHECKING:
    from hscdb.run.select import Selection

ID_HELP = (
    "data to work on: KEY=VALUES ..., e.g. visit=902798..902808:2 ccd=0..8^10..103 filter=HSC-R tract=0. "
    "'..' range, ':' stride, '^' or; several keys restrict each other, several --id add up; bare --id is everything"
)


class _Layout(argparse.RawDescriptionHelpFormatter):
    """Paragraphs are filled, examples stay as they are; `-j, --processes N` names its value once."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" in text:
            return super()._fill_text(text, width, indent)
        return argparse.HelpFormatter._fill_text(self, text, width, indent)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        words = self._format_args(action, self._get_default_metavar_for_optional(action))
        return f"{', '.join(action.option_strings)} {words}"


class Parser(argparse.ArgumentParser):
    """A parser whose complaints name the nearest option, and end with status 2."""

    def __init__(self, *args: Any, **more: Any) -> None:
        more.setdefault("allow_abbrev", False)
        more.setdefault("formatter_class", _Layout)
        super().__init__(*args, **more)

    def format_usage(self) -> str:
        """The usage in one line."""
        return self._short() + "\n"

    def format_help(self) -> str:
        """The whole help, with the usage in one line: what must be given, in the order of the examples."""
        self.usage = self._short().removeprefix("usage: ")
        return super().format_help()

    def _short(self) -> str:
        layout = self._get_formatter()
        places = [
            layout._format_args(each, layout._get_default_metavar_for_positional(each))
            for each in self._get_positional_actions()
        ]
        needed = [
            f"{each.option_strings[-1]} {layout._format_args(each, layout._get_default_metavar_for_optional(each))}"
            for each in self._get_optional_actions()
            if each.required
        ]
        behind = [each for each in places if each.startswith("[--")]  # what is handed on to another program
        before = [each for each in places if each not in behind]
        return " ".join(["usage:", self.prog, *before, *needed, "[options]", *behind]).replace("%", "%%")

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and how to see the usage."""
        from difflib import get_close_matches

        missing = "the following arguments are required: "
        choice = re.fullmatch(r"argument (\S+): invalid choice: '(.*)' \(choose from (.*)\)", message)
        if message.startswith(missing):
            free = {each.metavar for each in self._get_positional_actions() if each.nargs in ("*", "?")}
            names = [name for name in message.removeprefix(missing).split(", ") if name not in free]
            message = f"{', '.join(names)} is missing. Usage: {self._short().removeprefix('usage: ')}"
        elif choice:
            known = [word.strip(" '") for word in choice[3].split(",")]
            near = get_close_matches(choice[2], known, 1)
            guess = f"; did you mean '{near[0]}'?" if near else ""
            message = f"'{choice[2]}': not one of {', '.join(known)}{guess}"
        elif message.startswith("unrecognized arguments: "):
            word = message.partition(": ")[2].split()[0]
            near = get_close_matches(word.partition("=")[0], self._option_string_actions, 1, 0.7)
            if near:
                message += f"; did you mean {near[0]}?"
        dot = "" if message.endswith("?") else "."
        raise ConfigError(f"{self.prog}: {message}{dot} See `{self.prog} --help`.", code="usage")


def repository(parser: argparse.ArgumentParser) -> None:
    """REPO, --dsn and the log."""
    parser.add_argument("repository", metavar="REPO", help="folder of the repository (hscdb init makes one)")
    behind = parser.add_argument_group("database and log")
    behind.add_argument("--dsn", help="use this server (libpq words or URL) instead of the embedded; also HSCDB_DSN")
    log(behind)


def log(parser: argparse._ActionsContainer) -> None:
    """-L and --longlog."""
    parser.add_argument(
        "-L", "--loglevel", default="info", metavar="LEVEL", help="trace, debug, info, warn, error or fatal [info]"
    )
    parser.add_argument("--longlog", action="store_true", help="log lines with file and line")


def selection(parser: argparse.ArgumentParser) -> None:
    """--id and --where."""
    parser.add_argument("--id", nargs="*", action="append", metavar="KEY=VALUES", help=ID_HELP)
    parser.add_argument(
        "--where", metavar="SQL", help="condition on view frame_info, e.g. \"band = 'r' AND seeing_arcsec < 0.8\""
    )


def running(parser: argparse.ArgumentParser, *, rerun_help: str = "") -> None:
    """What every command that runs stages takes."""
    selection(parser)
    add = parser.add_argument
    add("--rerun", metavar="[IN:]OUT", help=rerun_help or "run to write to; IN: build on another run (chain)")
    add("--output", metavar="REPO/rerun/OUT", help="the same as --rerun OUT, as a path")
    add("--calib", metavar="RUN", help="run that holds the masters [calib, if there is one]")
    add(
        "-c",
        "--config",
        nargs="+",
        action="append",
        metavar="STAGE.NAME=VALUE",
        help="settings (hscdb config lists them)",
    )
    add(
        "-C",
        "--configfile",
        nargs="+",
        action="append",
        metavar="FILE",
        help="TOML files of settings: [stage] name = value",
    )
    add(
        "--clobber-config",
        action="store_true",
        help="take other settings; where tasks are done under the old ones, in a new run OUT-2 on this one",
    )
    add("--redo", action="store_true", help="do done tasks again")
    add("-j", "--processes", "--jobs", dest="jobs", type=positive, default=1, metavar="N", help="worker processes [1]")
    add("--dask", metavar="ADDRESS", help="work on a Dask cluster: address of its scheduler, e.g. tcp://host:8786")
    add(
        "--show",
        nargs="+",
        metavar="WHAT",
        help="data, config[=GLOB], history[=GLOB], tasks; exits then, unless with run",
    )
    add("-n", "--dry-run", action="store_true", help="the same as --show data")


def positive(word: str) -> int:
    """A whole number of at least 1."""
    if not word.strip().isdecimal() or int(word) < 1:
        raise argparse.ArgumentTypeError(f"{word}: not a whole number of at least 1")
    return int(word)


def flat(words: Sequence[Sequence[str]] | None) -> list[str]:
    """The words of a repeatable option with several values, in one list."""
    return [word for group in words or () for word in group]


def selected(args: argparse.Namespace) -> Selection:
    """--id and --where as a Selection."""
    from hscdb.run import select

    return select.parse(args.id, args.where)


def start_log(args: argparse.Namespace) -> None:
    """Begin logging at the level asked for."""
    from hscdb.run import log as logs

    try:
        logs.start(args.loglevel, is_long=args.longlog)
    except KeyError:
        raise ConfigError(
            f"-L {args.loglevel}: no such level. Give trace, debug, info, warn, error or fatal.", code="usage"
        ) from None


def opened(args: argparse.Namespace) -> Any:
    """The repository of a command."""
    from hscdb.run.repository import Repository

    return Repository.open(os.path.expanduser(args.repository), args.dsn)
