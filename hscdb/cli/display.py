"""display: a CCD, a whole focal plane or a patch, with mask and sources, on DS9, by SAMP, or as a picture."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hscdb.cli import options
from hscdb.errors import ConfigError

if TYPE_CHECKING:
    from hscdb.butler import Butler
    from hscdb.display.style import Style
    from hscdb.display.visit import Looks, View
    from hscdb.run.select import Selection

    Way = tuple[dict[str, str], Callable[[], View]]  # words for the name of its file, and how it is made


def arguments(parser: argparse.ArgumentParser, name: str) -> Callable[[argparse.Namespace], int]:
    """The arguments of display."""
    parser.description = (
        "Show images: one CCD as it is, several CCDs of a visit as a binned focal plane (north up, east left). Of "
        "several visits each is shown by itself. With patch=X,Y (and tract=N) a patch: the mean of the unmasked pixels "
        "of all calibrated frames that touch it, by filter; to look at, it is no coadd. Without --png, --ds9 or --samp "
        "it goes to what HSCDB_DISPLAY names, else to DS9, which is started if need be. Mask planes: DETECTED blue, CR "
        "magenta, SAT and INTRP green, BAD red, EDGE and SUSPECT yellow, NO_DATA orange. Sources: point-like yellow, "
        "extended cyan, ellipses of three times their moments; on a focal plane as circles; on a patch with green "
        "crosses on the stars that were matched across visits."
    )
    parser.epilog = "\n".join((
        "examples:",
        "  hscdb display REPO --rerun first --id visit=902800 ccd=50 --sources",
        "  hscdb display REPO --rerun first --id visit=902800 --png visit.png",
        "  hscdb display REPO --dataset raw --id visit=902800 --png 'raw-{visit}.png' --bin 16",
        "  hscdb display REPO --rerun first --dataset calibrated_exp --id tract=0 visit=902800 ccd=50 --ds9",
        "  hscdb display REPO --rerun first --id tract=0 patch=1,1 filter=HSC-R --sources --png patch.png",
        "  hscdb display REPO --rerun first --id visit=902800 ccd=50 --samp Aladin",
    ))  # fmt: skip
    options.repository(parser)
    options.selection(parser)
    add = parser.add_argument
    add("--rerun", metavar="NAME", help="run whose products are shown [the only one there is]")
    add("--calib", metavar="RUN", help="run with the masters [calib]")
    add(
        "--dataset",
        metavar="NAME",
        help="raw, postISRCCD, calexp, calibrated_exp, flat ... [calexp; of a patch calibrated_exp if there is one]",
    )
    add(
        "--png",
        metavar="FILE",
        help="write a picture (.png, .pdf, .svg, .jpg); {visit}, {tract}, {patch}, {filter}: its",
    )
    add("--ds9", nargs="?", const="", metavar="NAME", help="show on the DS9 of a name (ds9 -title NAME) [ds9]")
    add(
        "--samp",
        nargs="?",
        const="",
        metavar="CLIENT",
        help="send to the SAMP clients that are called so (topcat, aladin, ds9), or to all",
    )
    add("--sources", nargs="?", const=10.0, type=float, metavar="SNR", help="overlay sources from this S/N on [10]")
    add("--no-mask", action="store_true", help="the image alone")
    add("--transparency", type=float, metavar="PERCENT", help="of the mask: 0 hides the image, 100 the mask [60]")
    add(
        "--scale", default="zscale", metavar="WHAT", help="zscale, minmax, per cent of the pixels, or LOW,HIGH [zscale]"
    )
    add("--stretch", default="asinh", choices=("linear", "asinh", "log"), help="of pictures [asinh]")
    add("--bin", type=options.positive, metavar="N", help="mean of N x N pixels [as fits a screen]")
    add("--no-labels", action="store_true", help="no CCD numbers on a focal plane")
    add("--frame", type=options.positive, metavar="N", help="DS9: frame of the first image [the current one]")
    return display


def display(args: argparse.Namespace) -> int:
    """Show what is selected."""
    from hscdb.butler.target import parse
    from hscdb.display import picture, style
    from hscdb.display.visit import Looks

    options.start_log(args)
    dataset = parse(args.dataset or "calexp")
    _check_image(args, dataset.dataset)
    looks = Looks(args.bin, args.scale, args.stretch, args.sources, not args.no_mask, not args.no_labels)
    how = style.Style()
    if args.png:
        picture.check(Path(args.png).expanduser())
    if args.transparency is not None:
        how.set_transparency(args.transparency)
    with _butler(args) as butler:
        views = _views(args, butler, looks, how)
        if butler.registry.run is None and dataset.is_product:
            runs = ", ".join(butler.registry.runs) or "none yet"
            raise ConfigError(
                f"hscdb display: {dataset.dataset} of which run? Add --rerun NAME. Runs: {runs}.", "no_rerun"
            )
        target = None if args.png else _target(args)
        paths = _paths(args.png, [names for names, _ in views]) if target is None else []
        for at, view in _made(views):
            if target is None:
                picture.save(view.picture, paths[at])
                print(paths[at])
                continue
            frame = args.frame + at if args.frame else at + 1 if len(views) > 1 else None
            target.show(view.content, frame, _settings(args), how)
            if view.shapes:
                target.draw(view.shapes, frame)
        if target is not None:
            target.close()
    return 0


def _made(views: list[Way]) -> Iterator[tuple[int, View]]:
    """Number and content of the views that can be made; the others are told. NoResults if none can."""
    from hscdb.butler import NoResults
    from hscdb.run.log import logger

    why = []
    for at, (_, make) in enumerate(views):
        try:
            view = make()
        except NoResults as error:
            why.append(error)
            continue
        yield at, view
    if len(why) == len(views):
        raise why[0]
    for each in why:
        logger.warning("%s", each)


def _check_image(args: argparse.Namespace, dataset: str) -> None:
    """Refuse what is no image, and on a patch what has no place on the sky. ConfigError `not_an_image`."""
    from hscdb.butler.target import IMAGES

    is_patch = any(word.startswith("patch=") for word in options.flat(args.id))
    images = ("calexp", "calibrated_exp") if is_patch else IMAGES
    if dataset not in images:
        what = "has no place on the sky" if dataset in IMAGES else "is no image"
        raise ConfigError(f"hscdb display: {args.dataset} {what}. Give {', '.join(images)}.", code="not_an_image")


def _views(args: argparse.Namespace, butler: Butler, looks: Looks, how: Style) -> list[Way]:
    """What there is to show, one after another: words for its file's name, and how it is made."""
    from hscdb.butler.target import parse
    from hscdb.display.visit import of_ccd, of_visit
    from hscdb.run import select

    selection = select.parse(args.id, args.where)
    if not selection.is_given:
        raise ConfigError(
            "hscdb display: of what? Add e.g. --id visit=902800 ccd=50, or --id tract=0 patch=1,1.", code="usage"
        )
    if selection.uses("patch"):
        from hscdb.display import patch

        found = patch.chosen(butler, selection, _known(butler, selection))
        return [(each.names, partial(patch.of_patch, butler, each, args.dataset, looks, how)) for each in found]
    dataset = args.dataset or "calexp"
    ways: list[Way] = []
    for frames in _selected(butler, selection, "science" if parse(dataset).is_product else None):
        if len(frames) == 1:
            make = partial(of_ccd, butler, dataset, frames[0], looks, how)
        else:
            make = partial(of_visit, butler, dataset, frames, looks, how)
        ways.append(({"visit": str(frames[0]["visit"])}, make))
    return ways


def _butler(args: argparse.Namespace) -> Butler:
    from hscdb.butler import Butler

    return Butler(args.repository, rerun=args.rerun, calib=args.calib, dsn=args.dsn)


def _known(butler: Butler, selection: Selection) -> dict[str, Any]:
    """visits and ccds of the frames that --where holds for; None for all."""
    from hscdb.db.where import frames as where

    if selection.where is None:
        return {"visits": None, "ccds": None}
    found = where(butler.repository.engine, selection.where)
    return {"visits": found["visit"], "ccds": found["ccd"]}


def _selected(butler: Butler, selection: Selection, data_type: str | None) -> list[list[dict[str, Any]]]:
    """dataIds of the frames of --id and --where, visit by visit; data_type None: of all kinds. ConfigError
    `no_frame`."""
    tracts = {span[0] for one in selection.ids for span in one.get("tract", ())}
    tract = {"tract": int(next(iter(tracts)))} if len(tracts) == 1 else {}
    known = _known(butler, selection)
    rows = butler.registry.ask("read_frames", ids=[*selection.ids], data_type=data_type, **known)
    visits: dict[int, list[dict[str, Any]]] = {}
    for visit, ccd in zip(rows["visit"].tolist(), rows["ccd"].tolist(), strict=True):
        visits.setdefault(visit, []).append({"visit": visit, "ccd": ccd} | tract)
    if not visits:
        raise ConfigError(f"hscdb display: no frame for {selection.describe()}. See `hscdb status`.", code="no_frame")
    return list(visits.values())


def _target(args: argparse.Namespace) -> Any:
    from hscdb.display import use

    if args.ds9 is not None and args.samp is not None:
        raise ConfigError("hscdb display: --ds9 and --samp: give one of them.", code="usage")
    if args.samp is not None:
        return use(f"samp:{args.samp}")
    return use(None if args.ds9 is None else f"ds9:{args.ds9}")


def _settings(args: argparse.Namespace) -> dict[str, str]:
    """--scale in DS9's words."""
    low, comma, high = args.scale.partition(",")
    return {"scale": f"limits {low} {high}" if comma else f"mode {args.scale}"}


def _paths(word: str, names: list[dict[str, str]]) -> list[Path]:
    """The files of pictures: words in braces stand for what they name; where that does not tell the pictures apart,
    what is missing is added to the names."""
    found = []
    for each in names:
        named = word
        for name, text in each.items():
            named = named.replace(f"{{{name}}}", text)
        found.append(Path(named).expanduser())
    if len(set(found)) == len(found):
        return found
    more = [[text for name, text in each.items() if f"{{{name}}}" not in word] for each in names]
    return [path.with_stem("-".join([path.stem, *words])) for path, words in zip(found, more, strict=True)]
