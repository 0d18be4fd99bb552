"""ingest: raw frames into the registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hscdb.camera.model import Camera
from hscdb.db.engine import transaction
from hscdb.db.queries import query
from hscdb.errors import ConfigError, InputError
from hscdb.fits import header as headers
from hscdb.fits.intake import MODES, find_files, fingerprint, placed
from hscdb.fits.raw import check_size
from hscdb.ingest.stage_config import Config
from hscdb.ingest.translate import Facts, is_frame, translate
from hscdb.run.stage import Funnel, Work, stage

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

insert_visit = query("ingest/insert_visit")
find_visit = query("ingest/find_visit")
find_frame = query("ingest/find_frame")
insert_frame = query("ingest/insert_frame")
replace_refusal = query("ingest/replace_refusal")
delete_refusals = query("ingest/delete_refusals")

Report = Callable[[int, int, str], None]


@dataclass
class Outcome:
    """What an ingest did.

    counts : n_file, n_frame or n_row, n_stored, n_known, n_refused, ...     refusals : (path, reason, message).
    """

    counts: dict[str, int]
    refusals: list[tuple[str, str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class RawFrame:
    """One frame of a file: its HDU, what its header tells, and the header itself."""

    hdu: int
    facts: Facts
    shape: tuple[int, int]
    header: dict[str, list[Any]]


@dataclass(frozen=True)
class RawFile:
    """A file that was read, or the error that came instead."""

    path: Path
    n_byte: int = 0
    sha256: str = ""
    frames: tuple[RawFrame, ...] = ()
    error: InputError | None = None


def read_file(path: Path, camera: Camera) -> RawFile:
    """Fingerprint and headers of a raw file; an InputError becomes part of the result."""
    try:
        n_byte, sha256 = fingerprint(path)
        parts = headers.parts(path)
        frames = tuple(_frames(path, parts, camera))
    except InputError as error:
        message = str(error) if str(error).startswith(str(path)) else f"{path}: {error}"
        return RawFile(path, error=InputError(message, error.code))
    return RawFile(path, n_byte, sha256, frames)


def _frames(path: Path, parts: list[headers.Part], camera: Camera) -> Iterator[RawFrame]:
    section = camera.settings["header"]
    images = [part for part in parts if part.shape is not None]
    if not images:
        raise InputError(f"{path}: holds no image (at least 1 needed). Ingest raw frames only.", "no_image")
    if section.get("hdus", "first") == "first":
        images = images[:1]
    n_frame = 0
    for part, shape in ((part, part.shape) for part in images if part.shape is not None):
        contents: dict[str, Any] = {"FILE": path.name} | headers.inherited(parts[0], part)
        if section.get("from_wcs", False):
            contents |= headers.wcs_words(contents, shape)
        if not is_frame(section, contents):
            continue
        facts = translate(camera, contents)
        check_size(str(path), shape, camera.ccds[facts.ccd])
        whole = headers.header_json(parts[0].header)
        yield RawFrame(part.number, facts, shape, whole | headers.header_json(part.header))
        n_frame += 1
    if not n_frame:
        raise InputError(f"{path}: none of its {len(images)} images is a frame of {camera.name}.", "no_image")


def ingest_raw(
    engine: Engine,
    repository: Path,
    camera: Camera,
    words: Sequence[str | Path],
    *,
    mode: str = "link",
    jobs: int = 2,
    report: Report | None = None,
) -> Outcome:
    """Enter raw files (files, folders, patterns) into visit, frame and frame_header; one transaction per file.

    Files are put to hscPipe's places under the repository by `mode` (see fits/intake.placed). A file that is known
    (same visit, ccd and content) is counted; what cannot be ingested becomes a row of ingest_refusal, and nothing else.
    """
    if mode not in MODES:
        raise ConfigError(f"ingest: no mode '{mode}' (there are {', '.join(MODES)}).", "bad_setting")
    files = find_files(words)
    outcome = Outcome(dict.fromkeys(("n_file", "n_frame", "n_stored", "n_known", "n_refused"), 0))
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        for number, raw in enumerate(pool.map(lambda path: read_file(path, camera), files), start=1):
            outcome.counts["n_file"] += 1
            try:
                if raw.error is not None:
                    raise raw.error
                with ExitStack() as undo, transaction(engine) as connection:
                    counts = store(connection, repository, camera, raw, mode, undo)
                    delete_refusals(connection, path=str(raw.path))
                for name, count in counts.items():
                    outcome.counts[name] += count
            except InputError as error:
                refuse(engine, raw.path, error, outcome)
            if report is not None:
                report(number, len(files), str(raw.path))
    return outcome


def refuse(engine: Engine, path: Path, error: InputError, outcome: Outcome) -> None:
    """Keep a refusal, as a row and in the outcome."""
    with transaction(engine) as connection:
        replace_refusal(connection, path=str(path), reason=error.code, message=str(error))
    outcome.counts["n_refused"] += 1
    outcome.refusals.append((str(path), error.code, str(error)))


def store(
    connection: Connection, repository: Path, camera: Camera, raw: RawFile, mode: str, undo: ExitStack
) -> dict[str, int]:
    """Enter one file in the caller's transaction; `undo` takes the placed file away again if that fails."""
    new = []
    for frame in raw.frames:
        known = find_frame.one(connection, visit=frame.facts.visit, ccd=frame.facts.ccd)
        if known is None:
            new.append(frame)
        elif known["sha256"] != raw.sha256:
            raise InputError(
                f"{raw.path}: visit={frame.facts.visit} ccd={frame.facts.ccd} is in the registry already, from a file "
                f"of other content ({known['path']}). Keep one of them.",
                "duplicate_frame",
            )
        else:
            _mend(repository, raw, known["path"], mode, undo)
    if new:
        for frame in new:
            enter_visit(connection, frame.facts, str(raw.path))
        stored = undo.enter_context(placed(raw.path, repository, place(camera, raw), mode))
        for frame in new:
            path = stored if len(raw.frames) == 1 else f"{stored}#{frame.hdu}"
            enter_frame(connection, frame.facts, "raw", path, frame, raw)
    return {"n_frame": len(raw.frames), "n_stored": len(new), "n_known": len(raw.frames) - len(new)}


def _mend(repository: Path, raw: RawFile, path: str, mode: str, undo: ExitStack) -> None:
    """Put a known file to its place again if that has become empty, as when the target of a link was moved."""
    there = repository / path.rpartition("#")[0] if "#" in path else repository / path
    if not there.exists() and not Path(path).is_absolute():
        undo.enter_context(placed(raw.path, repository, path.partition("#")[0], mode))


def place(camera: Camera, raw: RawFile) -> str:
    """hscPipe's place of a raw file, relative to the repository; files with several CCDs leave the ccd out."""
    facts = raw.frames[0].facts
    night = f"{facts.obs_start:%Y-%m-%d}" if facts.obs_start is not None else "undated"
    prefix = camera.settings.get("raw", {}).get("prefix", camera.name.upper())
    number = f"{facts.visit:07d}" + (f"-{facts.ccd:03d}" if len(raw.frames) == 1 else "")
    ending = "".join(one for one in (".fits", ".gz", ".fz") if one == ".fits" or raw.path.name.endswith(one))
    return f"{facts.field}/{night}/{facts.pointing:05d}/{facts.filter or 'NONE'}/{prefix}-{number}{ending}"


def enter_visit(connection: Connection, facts: Facts, who: str) -> None:
    """Enter the visit of a frame. InputError `visit_mismatch` if there is another one of its number."""
    columns = {
        name: getattr(facts, name)
        for name in ("visit", "exp_id", "data_type", "filter", "band", "field", "proposal", "pointing", "obs_start",
                     "obs_mjd", "exposure_s", "dark_s", "ra", "dec", "rotator_deg", "airmass")
    }  # fmt: skip
    night = None if facts.obs_start is None else facts.obs_start.date()
    if insert_visit(connection, **columns, night=night):
        return
    known = find_visit.one(connection, visit=facts.visit)
    for name in ("exp_id", "data_type", "filter"):
        ours = getattr(facts, name)
        if ours is not None and known[name] is not None and known[name] != ours:
            raise InputError(
                f"{who}: visit {facts.visit} is in the registry with {name} {known[name]}, this file says {ours}. "
                "Mend the header that is wrong, or give the camera another rule for visits.",
                "visit_mismatch",
            )


def enter_frame(connection: Connection, facts: Facts, kind: str, path: str, frame: RawFrame, file: RawFile) -> None:
    """Enter a frame and its header. InputError `duplicate_frame` if its path belongs to another frame."""
    is_new = insert_frame(
        connection, visit=facts.visit, ccd=facts.ccd, frame_id=facts.frame_id, kind=kind, path=path, hdu=frame.hdu,
        width_pix=frame.shape[1], height_pix=frame.shape[0], n_byte=file.n_byte, sha256=file.sha256,
        ccd_temp_k=facts.ccd_temp_k, header=frame.header,
    )  # fmt: skip
    if not is_new:
        raise InputError(
            f"{file.path}: visit={facts.visit} ccd={facts.ccd} cannot be entered: the path {path} belongs to another "
            "frame of the registry. Give the file a name of its own.",
            "duplicate_frame",
        )


@stage("ingest", per="repository", config=Config, writes=("visit", "frame", "frame_header"))
def run(work: Work, config: Config) -> Funnel:
    """Enter the raw files of work.options["files"] into the registry, all or none."""
    files: Sequence[Any] = work.options.get("files", ())
    counts: Mapping[str, int] = {}
    total = dict.fromkeys(("n_file", "n_frame", "n_stored", "n_known"), 0)
    with ExitStack() as undo:
        for path in find_files(files):
            raw = read_file(path, work.camera)
            if raw.error is not None:
                raise raw.error
            counts = store(work.connection, work.repository, work.camera, raw, config.mode, undo)
            total["n_file"] += 1
            for name, count in counts.items():
                total[name] += count
    return total
