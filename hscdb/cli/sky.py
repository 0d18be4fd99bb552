"""simulate, truth and demo: a sky whose truth is known."""

from __future__ import annotations

import argparse
import dataclasses
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

from hscdb.cli import options
from hscdb.errors import ConfigError, InputError

_SMALL_CCD_PIX = 1_000_000  # a CCD below this sees too few stars of an ordinary sky for a WCS and a zero point


def arguments(parser: argparse.ArgumentParser, name: str) -> Callable[[argparse.Namespace], int]:
    """The arguments of simulate, truth and demo."""
    add = parser.add_argument
    if name == "demo":
        parser.description = (
            "Simulate raw frames, take them through every stage, print what came out: repeatability before and after "
            "the joint solution, plots, and how to connect. The same commands work on real data; each is printed."
        )
        parser.epilog = "examples:\n  hscdb demo\n  hscdb demo /tmp/demo --camera toy -j 1"
        add("out", nargs="?", default="demo", metavar="OUT", help="folder [demo]")
        add("--camera", default="hsc", help="camera [hsc]")
        add("--ccds", nargs="+", type=int, help="CCDs [49 50 57 58 for hsc, else all]")
        add("--visits", type=options.positive, default=5, metavar="N", help="visits [5]")
        add("-j", "--processes", dest="jobs", type=options.positive, default=2, metavar="N", help="processes [2]")
        return demo
    if name == "truth":
        parser.description = (
            "How far the detections of simulated frames are from where their stars truly were, and from their true "
            "magnitudes, before (first calibration) and after the joint solution."
        )
        parser.epilog = "examples:\n  hscdb truth demo/repository demo/sky --rerun demo"
        options.repository(parser)
        add("sky", metavar="SKY", help="folder that hscdb simulate wrote")
        add("--rerun", metavar="NAME", help="run [the only one with a joint solution]")
        add("--snr", type=float, default=100.0, metavar="N", help="least S/N of a detection [100]")
        return truth
    parser.description = "Write simulated raw frames, calibration frames, reference catalogs and truth tables to OUT."
    parser.epilog = (
        "examples:\n  hscdb simulate OUT --camera hsc --ccds 49 50 57 58 --visits 5 -j 2\n"
        "  hscdb simulate OUT --camera toy --set star_density=40 seeing_arcsec=0.9"
    )
    add("out", metavar="OUT", help="folder to write to")
    add("--camera", default="hsc", help="camera [hsc]")
    add("--ccds", nargs="+", type=int, help="CCDs [all science CCDs]")
    add("--visits", type=int, metavar="N", help="visits per filter [5]")
    add("--filters", nargs="+", metavar="FILTER", help="filters [the camera's r, or its first]")
    add("--seed", type=int, help="seed of everything random [1]")
    add("--set", nargs="+", action="append", metavar="NAME=VALUE", help="any other option: --list shows them")
    add("--list", action="store_true", help="list all options of --set")
    add("-j", "--processes", dest="jobs", type=options.positive, default=1, metavar="N", help="processes [1]")
    options.log(parser)
    return simulate


def simulate(args: argparse.Namespace) -> int:
    """Write a simulation."""
    from hscdb.run.threads import limit_threads

    limit_threads()
    options.start_log(args)
    from hscdb.simulate.setup import Setup

    if args.list:
        for each in dataclasses.fields(Setup):
            unit = f" {each.metadata['unit']}" if each.metadata["unit"] else ""
            print(f"{each.name} = {each.default!r}{unit}\n    {each.metadata['help']}")
        return 0
    from hscdb.run.log import Progress
    from hscdb.simulate.write import simulate as write

    chosen: dict[str, Any] = {
        "camera": args.camera,
        "ccds": tuple(args.ccds or ()),
        "filters": tuple(args.filters or ()),
    }
    chosen |= {name: entry for name, entry in (("n_visit", args.visits), ("seed", args.seed)) if entry is not None}
    setup = Setup(**(chosen | _typed(Setup, options.flat(args.set))))
    progress: list[Progress] = []

    def report(done: int, n_total: int, name: str) -> None:
        if not progress:
            progress.append(Progress("simulate", n_total))
        progress[0].step()

    counts = write(Path(args.out), setup, args.jobs, report)
    for bar in progress:
        bar.close()
    print("  ".join(f"{name}={count}" for name, count in counts.items()))
    return 0


def truth(args: argparse.Namespace) -> int:
    """Print the errors of a run on simulated frames."""
    from hscdb.cli.show import table
    from hscdb.db.engine import transaction
    from hscdb.db.queries import query
    from hscdb.fits.table import read_columns
    from hscdb.simulate import compare

    path = Path(args.sky) / "truth_source.fits"
    true = read_columns(path)
    with options.opened(args) as repository, transaction(repository.engine) as connection:
        solutions = query("qa/read_solutions")(connection)
        runs = sorted({str(row["run"]) for row in solutions})
        if args.rerun is None and len(runs) > 1:
            raise ConfigError(
                f"truth: {len(runs)} runs have a joint solution ({', '.join(runs)}). Choose with --rerun.",
                code="ambiguous_rerun",
            )
        solutions = [row for row in solutions if args.rerun in (None, row["run"])]
        if not solutions:
            raise InputError(
                f"truth: no joint solution{f' in run {args.rerun}' if args.rerun else ''} (1 needed). "
                "Run `hscdb run REPO isr..qa` first.",
                code="no_solution",
            )
        for row in solutions:
            detections = query("qa/read_detections")(connection, mosaic_task_id=int(row["task_id"]))
            found = compare.errors(detections, true)
            print(
                f"run {row['run']}, tract {row['tract']}, {row['filter']}: {len(detections)} detections, "
                f"{found.snr.size} of true stars; S/N > {args.snr:g}, against the truth of {path}"
            )
            table(("error", "stars", "before", "after", "unit", "n"), compare.table(found, args.snr))
    return 0


def _typed(setup: type, words: list[str]) -> dict[str, Any]:
    """NAME=VALUE words as typed options of a simulation."""
    from difflib import get_close_matches

    from hscdb.run.parse import type_name, typed_text

    hints = get_type_hints(setup)
    found = {}
    for word in words:
        name, _, text = word.partition("=")
        if name not in hints:
            near = get_close_matches(name, hints, 1)
            guess = f"; did you mean '{near[0]}'?" if near else "."
            raise ConfigError(f"--set {word}: no option '{name}'{guess} --list shows them.", code="unknown_setting")
        try:
            found[name] = typed_text(text, hints[name])
        except ValueError:
            raise ConfigError(f"--set {word}: not of type {type_name(hints[name])}.", code="bad_setting") from None
    return found


def demo(args: argparse.Namespace) -> int:
    """Simulate a field and take it through every stage."""
    from hscdb.camera.load import load
    from hscdb.cli import main
    from hscdb.db.engine import folder

    out, repo = Path(args.out), str(Path(args.out) / "repository")
    ccds = args.ccds or ([49, 50, 57, 58] if args.camera == "hsc" else [])
    jobs = ["-j", str(args.jobs)]
    which = ["--ccds", *map(str, ccds)] if ccds else []
    if max(ccd.width * ccd.height for ccd in load(args.camera).ccds.values()) < _SMALL_CCD_PIX:
        which += ["--set", "star_density=40", "dither_ccd=0.2"]
    steps = [
        ["simulate", str(out / "sky"), "--camera", args.camera, *which, "--visits", str(args.visits), *jobs],
        ["init", repo, "--camera", args.camera],
        ["ingest", repo, str(out / "sky" / "raw"), str(out / "sky" / "calib"), *jobs],
        ["ingest-refcat", repo, "gaia_dr3", str(out / "sky" / "refcat_gaia.fits"), "--preset", "gaia"],
        ["ingest-refcat", repo, "ps1_dr1", str(out / "sky" / "refcat_ps1.fits"), "--preset", "ps1"],
        *(["master", repo, kind, "--id", *jobs] for kind in ("bias", "dark", "flat", "defects")),
        ["run", repo, "isr..calibrate", "--rerun", "demo", "--id", *jobs],
        ["skymap", repo, "discrete", "--rerun", "demo"],
        ["run", repo, "match..qa", "--rerun", "demo", "--id", "tract=0", *jobs],
        ["connect", repo],
        ["query", repo, "--file", str(folder("sql") / "run" / "read_summary.sql")],
        ["truth", repo, str(out / "sky"), "--rerun", "demo"],
    ]  # fmt: skip
    for words in steps:
        print(f"\n$ hscdb {shlex.join(words)}", flush=True)
        status = main(words)
        if status:
            return status
    plots = sorted(Path(repo).glob("rerun/demo/qa/**/*.png"))
    if plots:
        print("\nplots:\n" + "\n".join(f"  {path}" for path in plots))
        print("all on one page: " + ", ".join(map(str, sorted(Path(repo).glob("rerun/demo/qa/**/index.html")))))
    return 0
