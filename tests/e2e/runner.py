"""A process that runs command lines of hscdb for the tests: one request per line of standard input, as JSON.

{"words": [...]}               in this process; what it compiles and imports is then there for all that follow
{"words": [...], "at": {...}}  in a fork of it, with a fault: see `Fault`
{"words": [...], "n_byte_max": n}   in a fork of it that can write no file above n bytes
{"words": [...], "is_fork": true, "is_begun": true}   in a fork that is not waited for; {"wait": pid} does that later

The answer is a line of JSON: status (negative: the signal that ended it), out, err; or pid.
"""

import importlib
import json
import os
import resource
import signal
import sys
import tempfile
import time
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from hscdb.cli import main


def kill_server(repository: Path) -> None:
    """Kill -9 the embedded server's first process and all its children, and wait until they are gone."""
    first = int((repository / "pgdata" / "postmaster.pid").read_text().split()[0])
    family = {first}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            parent = next(line for line in status.read_text().splitlines() if line.startswith("PPid:"))
        except (OSError, StopIteration):
            continue
        if int(parent.split()[1]) == first:
            family.add(int(status.parent.name))
    for pid in [first, *sorted(family - {first})]:  # the first one first: it must not see the others go
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for pid in family:
        while is_alive(pid):
            time.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


@dataclass
class Fault:
    """Kill this process, or the server of a repository, at the n-th call of a function.

    place : module:name or module:Class.name. when: before or after the call. victim: `self` or a repository's path.
    """

    place: str
    n: int
    when: str
    victim: str
    n_call: int = 0

    def install(self) -> None:
        """Put ourselves in the function's place."""
        module, _, name = self.place.partition(":")
        owner: Any = importlib.import_module(module)
        for part in name.split(".")[:-1]:
            owner = getattr(owner, part)
        name = name.rpartition(".")[2]
        self.inner = getattr(owner, name)
        fault = self

        class Trap:
            def __get__(self, instance: Any, owner: Any = None) -> Any:
                return lambda *args, **more: fault.call(instance, args, more)

            def __call__(self, *args: Any, **more: Any) -> Any:
                return fault.call(None, args, more)

            def __getattr__(self, each: str) -> Any:
                inner = getattr(fault.inner, each)
                return (lambda *args, **more: fault.call(None, args, more, inner)) if each in ("one", "many") else inner

        setattr(owner, name, Trap())

    def call(self, instance: Any, args: Any, more: Any, inner: Any = None) -> Any:
        """The function, and the fault if it is time."""
        self.n_call += 1
        is_now = self.n_call == self.n
        if is_now and self.when == "before":
            self.strike()
        result = (inner or self.inner)(*(() if instance is None else (instance,)), *args, **more)
        if is_now and self.when == "after":
            self.strike()
        return result

    def strike(self) -> None:
        """Kill."""
        if self.victim == "self":
            os.kill(os.getpid(), signal.SIGKILL)
        kill_server(Path(self.victim))


def here(words: list[str]) -> dict[str, Any]:
    """A command line in this process."""
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main(words)
    return {"status": status, "out": out.getvalue(), "err": err.getvalue()}


class Forks:
    """Command lines in processes of their own."""

    def __init__(self) -> None:
        self.files: dict[int, tuple[Any, Any]] = {}

    def begin(self, words: list[str], at: dict[str, Any] | None, n_byte_max: int | None = None) -> int:
        """Fork; the number of the process."""
        out, err = tempfile.TemporaryFile("w+"), tempfile.TemporaryFile("w+")
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                for number, file in ((1, out), (2, err)):
                    os.dup2(file.fileno(), number)
                sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)
                if at is not None:
                    Fault(**at).install()
                if n_byte_max is not None:
                    resource.setrlimit(resource.RLIMIT_FSIZE, (n_byte_max, n_byte_max))
                code = main(words)
                sys.stdout.flush()
                sys.stderr.flush()
            finally:
                os._exit(code)
        self.files[pid] = out, err
        return pid

    def wait(self, pid: int) -> dict[str, Any]:
        """Until it has ended; how."""
        _, status = os.waitpid(pid, 0)
        texts = []
        for file in self.files.pop(pid):
            file.seek(0)
            texts.append(file.read())
            file.close()
        return {"status": os.waitstatus_to_exitcode(status), "out": texts[0], "err": texts[1]}


def serve() -> None:
    """Answer requests until standard input ends."""
    forks = Forks()
    for line in sys.stdin:
        asked = json.loads(line)
        if "wait" in asked:
            answer = forks.wait(asked["wait"])
        elif asked.get("is_begun"):
            answer = {"pid": forks.begin(asked["words"], asked.get("at"))}
        elif asked.get("is_fork") or asked.get("at") or asked.get("n_byte_max"):
            answer = forks.wait(forks.begin(asked["words"], asked.get("at"), asked.get("n_byte_max")))
        else:
            answer = here(asked["words"])
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    serve()
