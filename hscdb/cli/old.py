"""hscPipe's command lines as they stand in its manuals: `processCcd.py DATA --rerun NAME --id`.

Each console script of pyproject.toml is `main`, which knows by its name what is wanted, and runs our commands.
What an option says that makes no sense here is told in one line on standard error.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hscdb.cli import options
from hscdb.cli.heritage import HEIRS
from hscdb.errors import ConfigError, HscdbError

# hscPipe command -> what it becomes: (kind, word)
WAYS: dict[str, tuple[str, str]] = {
    "hscIngestImages.py": ("ingest", ""), "ingestImages.py": ("ingest", ""),
    "hscPgsqlIngestImages.py": ("ingest", ""), "ingestImagesPgsql.py": ("ingest", ""),
    "ingestCalibs.py": ("nothing", "masters are entered when they are made"),
    "genCalibRegistry.py": ("nothing", "masters are entered when they are made"),
    "constructBias.py": ("master", "bias"), "constructDark.py": ("master", "dark"),
    "constructFlat.py": ("master", "flat"), "constructFringe.py": ("master", "fringe"),
    "constructSky.py": ("master", "sky"),
    "reduceBias.py": ("master", "bias"), "reduceDark.py": ("master", "dark"), "reduceFlat.py": ("master", "flat"),
    "reduceFringe.py": ("master", "fringe"),
    "processCcd.py": ("run", "isr..calibrate"), "hscProcessCcd.py": ("run", "isr..calibrate"),
    "singleFrameDriver.py": ("run", "isr..calibrate"), "reduceFrames.py": ("run", "isr..calibrate"),
    "makeDiscreteSkyMap.py": ("skymap", "discrete"), "makeSkyMap.py": ("skymap", "rings"),
    "mosaic.py": ("run", "match..mosaic"), "jointcal.py": ("run", "match..mosaic"), "checkMosaic.py": ("qa", ""),
    "calibrateExposure.py": ("apply", "images"), "calibrateCatalog.py": ("apply", "catalogs"),
    "coaddDriver.py": ("none", ""), "multiBandDriver.py": ("none", ""), "stack.py": ("none", ""),
    "multiBand.py": ("none", ""), "makeCoaddTempExp.py": ("none", ""), "assembleCoadd.py": ("none", ""),
}  # fmt: skip

# option -> (number of words, why it is not needed)
_POINTLESS: dict[str, tuple[str, str]] = {
    "--timeout": ("1", "no command waits for a time"),
    "-t": ("1", "no command waits for a time"),
    "--readTimeout": ("1", "no command waits for a time"),
    "--mpi-timeout": ("1", "no command waits for a time"),
    "--clobber-output": ("0", "done tasks stay; hscdb rerun delete removes a run"),
    "--clobber-versions": ("0", "the version that opened a run is kept with it; another one goes on with a warning"),
    "--no-versions": ("0", "the version that opened a run is kept with it; another one goes on with a warning"),
    "--no-backup-config": ("0", "settings lie in the database"),
    "--doraise": ("0", "failed tasks are listed with their reason"),
    "--noExit": ("0", "the exit status tells whether tasks failed"),
    "--profile": ("1", "hscdb status shows the time of each stage"),
    "--debug": ("0", "-L debug tells more"),
    "--reuse-outputs-from": ("1", "done tasks are never done again unless their input is newer"),
    "--snapshots": ("0", "star_residual holds what the pictures are drawn from"),
    "--doBatch": ("0", "-j N runs processes here; hscdb run --dask uses a cluster"),
    "--do-exec": ("0", "-j N runs processes here; hscdb run --dask uses a cluster"),
    "--batch-type": ("1", "-j N runs processes here; hscdb run --dask uses a cluster"),
    "--batch-verbose": ("0", "-j N runs processes here; hscdb run --dask uses a cluster"),
    "--batch-submit": ("1", "-j N runs processes here; hscdb run --dask uses a cluster"),
    "--batch-options": ("1", "-j N runs processes here; hscdb run --dask uses a cluster"),
    "--batch-output": ("1", "-j N runs processes here; hscdb run --dask uses a cluster"),
    "--batch-profile": ("0", "-j N runs processes here; hscdb run --dask uses a cluster"),
    "--batch-stats": ("0", "-j N runs processes here; hscdb run --dask uses a cluster"),
    "--queue": ("1", "-j N runs processes here; hscdb run --dask uses a cluster"),
    "--job": ("1", "-j N runs processes here; hscdb run --dask uses a cluster"),
    "--nodes": ("1", "-j N runs processes here; hscdb run --dask uses a cluster"),
    "--time": ("1", "-j N runs processes here; hscdb run --dask uses a cluster"),
    "--mpiexec": ("1", "-j N runs processes here; hscdb run --dask uses a cluster"),
    "--numCoresForReadSource": ("1", "sources are read from the database"),
    "--detrendId": ("+", "a master is known by its night, ccd and filter"),
    "--validity": ("1", "hscdb master ... --config master.validity_days=N says it when masters are made"),
    "--create": ("0", "hscdb init makes a repository"),
    "--ignore-ingested": ("0", "files that are known are always skipped"),
    "--badFile": ("+", "files that cannot be read are listed and left out"),
    "--badId": ("+", "leave frames out by --id"),
}
_CAMERAS = (("hsc", "hsc"), ("subaru", "hsc"), ("decam", "decam"))  # word of a _mapper file -> camera


@dataclass
class Plan:
    """An old command line in our words.

    commands  : command lines of ours, one after another; the first that is not done in full ends it.
    notes     : what is told about options.
    diagnostics : folder for mosaic's pictures and tables, if they were asked for.
    model       : the joint solution's, of mosaic.py and jointcal.py.
    """

    repository: str
    commands: list[list[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rerun: str = ""
    ids: list[list[str]] = field(default_factory=list)
    diagnostics: str | None = None
    model: str = ""


class _Parser(options.Parser):
    def convert_arg_line_to_args(self, arg_line: str) -> list[str]:
        """The words of a line of an @file."""
        import shlex

        return shlex.split(arg_line, comments=True)


def parser(name: str) -> argparse.ArgumentParser:
    """All options that hscPipe's commands took, in any of its releases."""
    ours = HEIRS.get(name, ("", ""))
    made = _Parser(
        prog=name, fromfile_prefix_chars="@", description=f"hscPipe's {name}; here it is `{ours[0]}`. {ours[1]}."
    )
    add = made.add_argument
    add("repository", metavar="INPUT", help="folder of the repository")
    add("files", nargs="*", metavar="FILE", help="ingest: raw frames")
    add("--id", nargs="*", action="append", metavar="KEY=VALUES", help=options.ID_HELP)
    add("--selectId", nargs="*", action="append", metavar="KEY=VALUES", help="added to --id")
    for word in ("--rerun", "--output", "--calib", "--mode", "--diagDir"):
        add(word)
    add("-c", "--config", nargs="+", action="append", metavar="NAME=VALUE")
    add("-C", "--configfile", nargs="+", action="append", metavar="FILE")
    add("-L", "--loglevel", nargs="+", default=[])
    add("--longlog", nargs="?", const=True, default=False)
    add("--show", nargs="+", metavar="WHAT")
    add("-j", "--processes", "--cores", "--procs", dest="jobs", type=options.positive, metavar="N")
    add("--clobber-config", action="store_true")
    add("--diagnostics", action="store_true")
    add("-n", "--dry-run", action="store_true")
    for word, (count, why) in _POINTLESS.items():
        if count == "0":
            add(word, action="append_const", const=f"{word}: {why}", dest="pointless", help=argparse.SUPPRESS)
        else:
            add(word, nargs="+" if count == "+" else None, help=argparse.SUPPRESS, dest=_place(word))
    return made


def _place(word: str) -> str:
    return "pointless_" + word.strip("-").replace("-", "_")


def translate(name: str, words: Sequence[str]) -> Plan:
    """An old command line as a Plan. ConfigError `usage`, `unknown_setting`, `not_here`."""
    kind, word = WAYS[name]
    args = parser(name).parse_intermixed_args(list(words))
    if kind == "none":
        raise ConfigError(f"{HEIRS[name][1]}.", code="not_here")
    plan = Plan(_input(args.repository), ids=args.id or [])
    plan.notes += list(dict.fromkeys(args.pointless or []))
    plan.notes += [f"{o}: {why}" for o, (_, why) in _POINTLESS.items() if getattr(args, _place(o), None) is not None]
    if kind == "nothing":
        plan.notes.append(f"nothing to do: {word}")
    elif kind == "ingest":
        _ingest(plan, args)
    else:
        _stages(plan, args, name, kind, word)
    return plan


def _input(path: str) -> str:
    root = os.environ.get("PIPE_INPUT_ROOT")
    return str(Path(root, path)) if root else path


def _ingest(plan: Plan, args: argparse.Namespace) -> None:
    """init, if there is hscPipe's _mapper and no repository yet, and ingest."""
    folder = Path(plan.repository).expanduser()
    mapper = folder / "_mapper"
    if not (folder / "hscdb.toml").exists() and mapper.is_file():
        text = mapper.read_text(errors="replace").lower()
        camera = next((camera for word, camera in _CAMERAS if word in text), None)
        if camera is not None:
            plan.notes.append(f"{mapper}: a repository of camera {camera} is made here")
            plan.commands.append(["init", plan.repository, "--camera", camera])
    if args.dry_run:
        plan.notes.append(f"-n: {len(args.files)} files or patterns would be ingested")
        return
    mode = ["--mode", args.mode] if args.mode else []
    jobs = ["-j", str(args.jobs)] if args.jobs else []
    plan.commands.append(["ingest", plan.repository, *args.files, *mode, *jobs])


def _stages(plan: Plan, args: argparse.Namespace, name: str, kind: str, word: str) -> None:
    """A command that runs stages."""
    from hscdb.cli.old_config import settings

    if args.files:
        raise ConfigError(f"{name}: {' '.join(args.files)}: not understood. See `{name} --help`.", code="usage")
    spoken, extra = settings(name, kind, word, options.flat(args.config), plan.notes)
    if name in ("mosaic.py", "jointcal.py"):
        said = [each.partition("=")[2] for each in spoken if each.startswith("mosaic.model=")]
        plan.model = said[-1] if said else name.removesuffix(".py")
        spoken += ["mosaic.model=jointcal"] if plan.model == "jointcal" and not said else []
    rest: list[str] = []
    for one in [*plan.ids, *(args.selectId or [])]:
        rest += ["--id", *one]
    plan.rerun = _rerun(plan, args, kind)
    rest += ["--rerun", plan.rerun] if plan.rerun else []
    rest += _calib(plan, args.calib)
    rest += ["-j", str(args.jobs)] if args.jobs else []
    rest += ["--config", *spoken] if spoken else []
    for files in args.configfile or []:
        rest += ["--configfile", *files]
    rest += ["--clobber-config"] if args.clobber_config else []
    rest += _log(args)
    shown = list(args.show or []) + (["data"] if args.dry_run else [])
    words = [word] if word else []
    plan.commands.append([kind, plan.repository, *words, *rest, *(["--show", *shown] if shown else [])])
    if shown and "run" not in shown:
        return
    is_wanted = args.diagnostics or extra.get("outputDiag", "").lower() == "true"
    if name == "mosaic.py" and is_wanted:
        plan.diagnostics = args.diagDir or extra.get("outputDir") or "."
        without = [each for each in rest if each != "--clobber-config"]
        if spoken:
            at = without.index("--config")
            del without[at : at + 1 + len(spoken)]
        plan.commands.append(["qa", plan.repository, *without])


def _rerun(plan: Plan, args: argparse.Namespace, kind: str) -> str:
    """The run to write to."""
    if kind == "master":
        if args.rerun or args.output:
            plan.notes.append("--rerun: masters go to run 'calib', where every run finds them")
        return ""
    if args.rerun and args.output:
        raise ConfigError("--rerun and --output name the same thing. Give one of them.", code="usage")
    if not args.output:
        return args.rerun or ""
    given = Path(os.environ.get("PIPE_OUTPUT_ROOT", ""), args.output)  # hscPipe's rule: a relative path starts there
    root, out = Path(plan.repository).expanduser().absolute() / "rerun", given.expanduser().absolute()
    if root in out.parents:
        return out.relative_to(root).as_posix()
    plan.notes.append(f"--output: results lie in the database and in {root / out.name}")
    return out.name


def _calib(plan: Plan, word: str | None) -> list[str]:
    """--calib RUN; a folder of hscPipe's is no run."""
    if not word or Path(word).name.lower() == "calib":
        return []
    if "/" in word:
        plan.notes.append(f"--calib {word}: masters are found in run 'calib'")
        return []
    return ["--calib", word]


def _log(args: argparse.Namespace) -> list[str]:
    """-L and --longlog; levels of single components are taken for all."""
    said = ["-L", args.loglevel[-1].rpartition("=")[2].lower()] if args.loglevel else []
    return said + (["--longlog"] if args.longlog else [])


def run(name: str, words: Sequence[str]) -> int:
    """Run an old command line; the exit status."""
    from hscdb.cli import main as ours
    from hscdb.run import log, rerun

    try:
        rerun.opened.set("")
        plan = translate(name, words)
        if plan.model and plan.rerun:
            from hscdb.cli import old_files

            old_files.part_models(plan)
        for note in plan.notes:
            print(f"{name}: {note}.", file=sys.stderr)
        log.speak_as(name.removesuffix(".py"))
        status = 0
        for command in plan.commands:
            fork = rerun.opened.get()  # the first command may have gone on in a fork of the run
            status = ours([fork if fork and each == plan.rerun else each for each in command]) or status
            if status > 1:
                return status
        if plan.diagnostics is not None:
            from hscdb.cli import old_files

            old_files.leave(plan)
    except SystemExit as leaving:  # --help has printed
        return int(leaving.code or 0)
    except HscdbError as error:
        said = str(error)
        print(said if said.startswith(f"{name}: ") else f"{name}: {said}", file=sys.stderr)
        return error.exit_status
    finally:
        log.speak_as("")
    return status


def main() -> int:
    """The console scripts with hscPipe's names."""
    return run(Path(sys.argv[0]).name, sys.argv[1:])
