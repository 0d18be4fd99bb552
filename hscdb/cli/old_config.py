"""hscPipe's --config names in our words."""

from __future__ import annotations

from collections.abc import Sequence

from hscdb.errors import ConfigError

# subtask of hscPipe -> the stages that do its work
_SUBTASKS = {
    "isr": ("isr", "master"), "charImage": ("detect",), "calibrate": ("calibrate", "detect"),
    "detection": ("detect",), "repair": ("detect",), "measurePsf": ("detect",), "skyMap": ("skymap",),
    "processCcd": ("isr", "detect", "calibrate"), "combination": ("master",),
}  # fmt: skip
_STAGES = {"isr..calibrate": ("isr", "detect", "calibrate"), "match..mosaic": ("match", "mosaic")}
# names that need not be obeyed, and why
_POINTLESS = {
    "numCoresForReadSource": "sources are read from the database",
    "numCoresForRead": "sources are read from the database",
    "doDownloadRefCat": "reference catalogs are in the database",
    "src_list": "sources are read from the database",
    "doWriteCalibrate": "what a stage makes is always written",
    "doWriteMatches": "matches are rows of source_ref",
    "doWriteMatchesDenormalized": "matches are rows of source_ref",
}
_OWN = ("outputDiag", "outputDir")


def settings(
    name: str, kind: str, word: str, words: Sequence[str], notes: list[str]
) -> tuple[list[str], dict[str, str]]:
    """(our settings as stage.name=value, what the command itself is told: outputDiag, outputDir).

    Adds a note on each name that is called otherwise here. ConfigError `unknown_setting` for one without counterpart,
    `usage` for a word without "=".
    """
    if not words:
        return [], {}
    from hscdb import pipeline
    from hscdb.run.config import knobs

    configs = pipeline.configs()
    stages = _STAGES.get(word, (kind,))
    spoken: list[str] = []
    extra: dict[str, str] = {}
    for each in words:
        full, equals, text = each.partition("=")
        if not equals:
            raise ConfigError(f"{name}: --config {each}: no '='. Write --config name=value.", code="usage")
        leaf = full.rpartition(".")[2]
        if name == "mosaic.py" and full in _OWN:
            extra[full] = text
            continue
        if full.partition(".")[0] in configs and full.partition(".")[2] in knobs(
            full.partition(".")[0], configs[full.partition(".")[0]]
        ):
            spoken.append(each)
            continue
        if leaf in _POINTLESS:
            notes.append(f"--config {full}: {_POINTLESS[leaf]}")
            continue
        found = _ours(full, stages, configs)
        if found is None:
            raise ConfigError(
                f"{name}: --config {full}: has no counterpart here. Settings: "
                f"{', '.join(f'`hscdb config {stage}`' for stage in stages)}.",
                code="unknown_setting",
            )
        notes.append(f"--config {full}: is {found} here")
        spoken.append(f"{found}={text}")
    return spoken, extra


def _ours(full: str, stages: Sequence[str], configs: dict[str, type]) -> str | None:
    """stage.name of the setting that a (dotted) name of hscPipe became; None if there is none, or more than one."""
    from hscdb.run.config import knobs

    parts = full.split(".")
    wanted: Sequence[str] = stages
    for part in parts[:-1]:
        narrower = [stage for stage in _SUBTASKS.get(part, ()) if stage in stages]
        wanted = narrower or wanted
    found = set()
    for stage in wanted:
        for knob in knobs(stage, configs[stage]).values():
            for old in knob.was.replace(",", " ").split():
                if full == old or full.endswith(f".{old}") or old.rpartition(".")[2] == parts[-1]:
                    found.add(f"{stage}.{knob.name}")
    return found.pop() if len(found) == 1 else None
