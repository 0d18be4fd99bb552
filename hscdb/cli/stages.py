"""The commands that run stages: one per stage, and `run` for a span of them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hscdb.cli import options
from hscdb.errors import ConfigError

if TYPE_CHECKING:
    from hscdb.run.config import Settings
    from hscdb.run.repository import Repository
    from hscdb.run.rerun import Run
    from hscdb.run.stage import Stage

KINDS = {
    "master": (("bias", "dark", "flat", "defects", "fringe", "sky"), "what to combine"),
    "skymap": (("discrete", "rings"), "one tract around all frames, or the fixed map of HSC-SSP [discrete]"),
    "apply": (("images", "catalogs"), "only these [both]"),
}
_ABOUT = {
    "master": "Combine raw frames into masters (or find bad pixels in those), valid for the nights around theirs.",
    "isr": "Remove the instrument's signature from raw frames: overscan, bias, linearity, crosstalk, dark, flat, ...",
    "detect": "Find and measure the sources of each frame; writes CORR- and SRC- files and rows of source.",
    "calibrate": "First WCS and zero point of each frame from the reference catalogs.",
    "skymap": "Define tracts and patches and link the calibrated frames to them.",
    "match": "Find the same stars across the visits of a tract and filter, and in the reference catalogs.",
    "mosaic": "Solve WCS and flux scale of all visits of a tract and filter together; files wcs-, fcr-, jointcal_.",
    "apply": "Apply the joint solution: CALEXP- images, CALSRC- catalogs and rows of calibrated_source.",
    "qa": "Metrics (rows of qa_metric) and plots of a tract and filter, before and after the joint solution.",
    "run": "Run a span of stages. Frames go through isr, detect and calibrate in one process each.",
}
_EXAMPLES = {
    "master": [
        "master REPO bias --id", "master REPO flat --id filter=HSC-R -j 4", "master REPO fringe --id filter=HSC-Y",
    ],
    "isr": ["isr REPO --rerun first --id visit=902798..902808:2 ccd=0..103 -j 8"],
    "detect": ["detect REPO --rerun first --id --config detect.threshold_sigma=6"],
    "calibrate": ["calibrate REPO --rerun first --id filter=HSC-I^HSC-R"],
    "skymap": ["skymap REPO discrete --rerun first --id field=SSP_WIDE", "skymap REPO rings --rerun first"],
    "match": ["match REPO --rerun first --id tract=0", "match REPO --rerun first --id tract=0 filter=HSC-R visit=1..9"],
    "mosaic": ["mosaic REPO --rerun first --id tract=0 filter=HSC-R", "mosaic REPO --rerun a:b --id --model jointcal",
               "mosaic REPO --rerun first:other --id --redo"],
    "apply": ["apply REPO --rerun first --id tract=0 ccd=0..103 -j 8", "apply REPO catalogs --rerun first --id"],
    "qa": ["qa REPO --rerun first --id tract=0"],
    "run": [
        "run REPO isr..mosaic --rerun first --id field=SSP_WIDE -j 8",
        "run REPO isr..calibrate --rerun first --id visit=903334 --show data",
        "run REPO match..qa --rerun first:other --where \"seeing_arcsec < 0.8\" --config mosaic.n_visit_min=3",
    ],
}  # fmt: skip


def arguments(parser: argparse.ArgumentParser, name: str) -> Callable[[argparse.Namespace], int]:
    """The arguments of a stage's command."""
    parser.description = _ABOUT[name]
    parser.epilog = "examples:\n" + "\n".join(f"  hscdb {line}" for line in _EXAMPLES[name])
    options.repository(parser)
    if name == "run":
        parser.add_argument("span", metavar="A..B", help="first and last stage, or one stage: see `hscdb stages`")
    if name in KINDS:
        kinds, about = KINDS[name]
        parser.add_argument("kind", nargs=None if name == "master" else "?", choices=kinds, help=about)
    if name in ("mosaic", "run"):
        parser.add_argument("--model", choices=("mosaic", "jointcal"), help="as --config mosaic.model=...")
    options.running(parser, rerun_help="run to write to [calib]" if name == "master" else "")
    return run


def span(word: str) -> list[str]:
    """Names of the stages of `A..B`, `A..`, `..B` or `A`. ConfigError `unknown_stage`, `bad_span`."""
    from difflib import get_close_matches

    from hscdb.pipeline import ORDER

    first, dots, last = word.partition("..")
    ends = [first or "isr", (last or ORDER[-1]) if dots else first]
    for each in ends:
        if each not in ORDER:
            near = get_close_matches(each, ORDER, 1)
            guess = f"; did you mean '{near[0]}'?" if near else "."
            raise ConfigError(f"no stage '{each}'{guess} Stages: {', '.join(ORDER)}.", code="unknown_stage")
    places = [ORDER.index(each) for each in ends]
    names = list(ORDER[places[0] : places[1] + 1])
    if not names or {"ingest", "master"} & set(names):
        why = "ends before it begins" if not names else "ingest and master are commands of their own"
        raise ConfigError(f"span {word}: {why}. Write e.g. isr..mosaic.", code="bad_span")
    return names


def run(args: argparse.Namespace) -> int:
    """Run the stages of a command, or show what it would do."""
    from hscdb.run.threads import limit_threads

    limit_threads()
    options.start_log(args)
    names = span(args.span) if args.name == "run" else [args.name]
    selection = options.selected(args)
    words = {"kind": args.kind} if getattr(args, "kind", None) not in (None, "discrete") else {}
    if args.name == "skymap" and selection.is_given:
        if selection.where is not None:
            raise ConfigError("hscdb skymap: a tract is laid around the frames of --id; --where is not taken.", "usage")
        words["ids"] = selection.json
    from hscdb.pipeline import module
    from hscdb.run import fork

    try:
        if args.jobs > 1 and args.dask is None and not args.show and not args.dry_run:
            fork.start(map(module, names))
        with options.opened(args) as repository:
            return _perform(repository, names, args, selection, words)
    finally:
        fork.stop_unused()


def _perform(repository: Repository, names: list[str], args: argparse.Namespace, selection: Any, words: Any) -> int:
    """Run stages by name with parsed arguments; the exit status. `words` are the stage's own (Work.options)."""
    from hscdb.cli import preview
    from hscdb.pipeline import configs, outline

    stages = [outline(name) for name in names]
    spoken = options.flat(args.config)
    spoken += [f"mosaic.model={args.model}"] if getattr(args, "model", None) else []
    files = [Path(word) for word in options.flat(args.configfile)]
    shown = list(args.show or []) + (["data"] if args.dry_run else [])
    if shown and not spoken and not files and set(shown) <= {"data", "tasks"}:
        # Which data there are is in the tables: no stage, and no numba below it, has to be imported.
        preview.show(repository, stages, None, selection, shown, rerun_word(args, names), words)
        return 0
    from hscdb.run.config import resolve

    settings = resolve(
        configs(), camera=repository.camera.own_settings, repository=repository.settings, files=files, words=spoken,
        stage=names[0] if len(names) == 1 else None,
    )  # fmt: skip
    if shown:
        preview.show(repository, stages, settings, selection, shown, rerun_word(args, names), words)
        if "run" not in shown:
            return 0
    return _execute(repository, stages, settings, args, selection, words)


def _execute(
    repository: Repository,
    stages: list[Stage],
    settings: Settings,
    args: argparse.Namespace,
    selection: Any,
    words: Any,
) -> int:
    """Open the run and do the work; the exit status."""
    from hscdb.cli import show
    from hscdb.db.where import frames
    from hscdb.run import tasks
    from hscdb.run.execute import Command
    from hscdb.run.rerun import open_run

    names = [stage.name for stage in stages]
    word = rerun_word(args, names)
    if word is None:
        raise ConfigError(
            f"hscdb {args.name}: no output rerun named. Add --rerun NAME (a new name makes a new run).", code="no_rerun"
        )
    # What can be refused is refused before a run is made.
    calib = calib_run(repository, args.calib) if names != ["master"] else None
    has_frames = selection.where is None or len(frames(repository.engine, selection.where)) > 0
    if selection.is_given and (tasks.warn_of_empty(repository.engine, selection) or not has_frames):
        show.nothing()
        return 1
    quiet = ("default", "camera", "hscdb.toml")
    said = {name for name, history in settings.history.items() if history[-1][0] not in quiet}
    opened = open_run(
        repository.engine, word, settings, names, spoken=dict.fromkeys(said), is_clobber=args.clobber_config
    )
    if names == ["skymap"] and selection.is_given:
        _has_calibrated(repository, opened, selection)
    result = Command(
        repository, opened, stages, selection, jobs=args.jobs, is_redo=args.redo, options=words, calib_run_id=calib,
        dask=args.dask,
    ).execute()  # fmt: skip
    show.outcome(result)
    return result.exit_status


def _has_calibrated(repository: Repository, opened: Run, selection: Any) -> None:
    """Refuse a sky map around frames of which none is calibrated: the one that is there would be lost for nothing."""
    from hscdb.db.engine import transaction
    from hscdb.db.queries import query

    with transaction(repository.engine) as connection:
        rows = query("skymap/read_frames")(connection, run_id=opened.run_id, ids=[*selection.ids])
    if len(rows) and not rows["is_selected"].any():
        raise ConfigError(
            f"hscdb skymap: no frame of {selection.describe()} is calibrated in run {opened.name}, which has "
            f"{len(rows)} others. Its sky map stays as it is; give another --id.",
            code="no_frames",
        )


def rerun_word(args: argparse.Namespace, names: list[str]) -> str | None:
    """What --rerun or --output names; masters go to run `calib` unless told otherwise."""
    if args.rerun and args.output:
        raise ConfigError("--rerun and --output name the same thing. Give one of them.", code="usage")
    if args.output:
        path, root = Path(args.output).expanduser().absolute(), Path(args.repository).expanduser().absolute() / "rerun"
        if path == root or root not in path.parents:
            raise ConfigError(
                f"--output {args.output}: results lie in {root}/NAME and in the database. Use --rerun NAME.",
                code="usage",
            )
        return path.relative_to(root).as_posix()
    return args.rerun or ("calib" if names == ["master"] else None)


def calib_run(repository: Repository, word: str | None) -> int | None:
    """Number of the run with the masters: --calib RUN (hscPipe's --calib REPO/CALIB means `calib`), else `calib`."""
    from hscdb.db.engine import transaction
    from hscdb.run.rerun import existing, find_run

    with transaction(repository.engine) as connection:
        for name in [word, Path(word).name.lower()] if word else ["calib"]:
            row = find_run.one(connection, name=name)
            if row is not None:
                return int(row["run_id"])
        return int(existing(connection, word)["run_id"]) if word else None


def stage_list() -> list[Stage]:
    """All stages in order, loaded."""
    from hscdb.pipeline import ORDER, load

    return [load(name) for name in ORDER]
