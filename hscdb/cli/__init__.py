"""The `hscdb` command. Everything that takes long to import is imported by the command that needs it."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import Sequence

from hscdb.db import lost
from hscdb.errors import ConfigError, HscdbError

# What is left when a program ends goes with its memory: to look for garbage in it once more took 0.4 s of each command.
atexit.register(gc.freeze)


def main(words: Sequence[str] | None = None) -> int:
    """Run one command line; the exit status: 0 all done, 1 something failed, 2 usage or settings, 3 schema."""
    words = list(sys.argv[1:] if words is None else words)
    try:
        from hscdb.cli.commands import parse  # takes long enough to be stopped in the middle of

        args = parse(words)
        if args is None:
            return 0
        with lost.named():
            status = args.command(args)
        sys.stdout.flush()
    except HscdbError as error:
        print(_told(str(error)), file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt as error:
        status = getattr(error, "exit_status", None)  # of run.interrupt's StoppedError
        said = "; tasks in hand were given back, the same command goes on" if status else ""
        print(f"hscdb: stopped{said}", file=sys.stderr)
        return status or 130
    except BrokenPipeError:
        # The reader of our output has gone (`hscdb query ... | head`); Python must not complain at its own end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return int(status or 0)


def _told(said: str) -> str:
    """A message with who says it: the command, or the old one that was typed."""
    from hscdb.run.log import speaker

    spoken = speaker()
    if spoken and said.startswith("hscdb "):
        return f"{spoken}.py: {said.partition(': ')[2]}"
    if spoken:
        return f"{spoken}.py: {said}"
    return said if said.startswith("hscdb ") else f"hscdb: {said}"


__all__ = ["ConfigError", "main"]
