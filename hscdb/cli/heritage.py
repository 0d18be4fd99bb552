"""hscPipe's commands and what does their work here."""

from __future__ import annotations

from difflib import get_close_matches

_NO_COADD = "not in this version, which ends at calibrated frames and their metrics; CALEXP- and CALSRC- are its input"

# hscPipe command -> (ours, empty if we have none; what to know)
HEIRS: dict[str, tuple[str, str]] = {
    "hscIngestImages.py": ("hscdb ingest REPO FILES", "--mode link, copy, move or skip as before"),
    "ingestImages.py": ("hscdb ingest REPO FILES", "--mode link, copy, move or skip as before"),
    "hscPgsqlIngestImages.py": ("hscdb ingest REPO FILES", "the registry always is PostgreSQL"),
    "ingestImagesPgsql.py": ("hscdb ingest REPO FILES", "the registry always is PostgreSQL"),
    "ingestCalibs.py": (
        "hscdb master REPO KIND",
        "masters are entered when they are made; --config master.validity_days=N",
    ),
    "genCalibRegistry.py": ("hscdb master REPO KIND", "masters are entered when they are made"),
    "ingestReferenceCatalog.py": ("hscdb ingest-refcat REPO NAME FILES", "presets gaia and ps1"),
    "constructBias.py": ("hscdb master REPO bias --id ...", "written to run 'calib' unless --rerun names another"),
    "constructDark.py": ("hscdb master REPO dark --id ...", "after the bias"),
    "constructFlat.py": ("hscdb master REPO flat --id filter=HSC-R", "after bias and dark"),
    "constructFringe.py": ("hscdb master REPO fringe --id filter=HSC-Y", "after the flat"),
    "constructSky.py": ("hscdb master REPO sky --id filter=HSC-R", "used with --config isr.do_sky=true"),
    "reduceBias.py": ("hscdb master REPO bias --id ...", ""),
    "reduceDark.py": ("hscdb master REPO dark --id ...", ""),
    "reduceFlat.py": ("hscdb master REPO flat --id ...", ""),
    "reduceFringe.py": ("hscdb master REPO fringe --id ...", ""),
    "processCcd.py": (
        "hscdb run REPO isr..calibrate --rerun NAME --id ...",
        "three stages, one after another per frame",
    ),
    "hscProcessCcd.py": ("hscdb run REPO isr..calibrate --rerun NAME --id ...", ""),
    "singleFrameDriver.py": ("hscdb run REPO isr..calibrate --rerun NAME --id ... -j N", ""),
    "reduceFrames.py": ("hscdb run REPO isr..calibrate --rerun NAME --id ... -j N", ""),
    "makeDiscreteSkyMap.py": ("hscdb skymap REPO discrete --rerun NAME", "one tract around all calibrated frames"),
    "makeSkyMap.py": ("hscdb skymap REPO rings --rerun NAME", "the tracts of HSC-SSP"),
    "mosaic.py": (
        "hscdb run REPO match..mosaic --rerun NAME --id tract=0 ...",
        "--diagnostics: hscdb qa, under REPO/rerun/NAME/qa/",
    ),
    "jointcal.py": ("hscdb run REPO match..mosaic --model jointcal --rerun NAME --id tract=0 ...", ""),
    "checkMosaic.py": ("hscdb qa REPO --rerun NAME --id tract=0", ""),
    "calibrateExposure.py": ("hscdb apply REPO images --rerun NAME --id tract=0 ...", ""),
    "calibrateCatalog.py": (
        "hscdb apply REPO catalogs --rerun NAME --id tract=0 ...",
        "fluxes; --config apply.do_apply_calib=true gives magnitudes, hscPipe's doApplyCalib=True",
    ),
    "coaddDriver.py": ("", _NO_COADD),
    "multiBandDriver.py": ("", _NO_COADD),
    "makeCoaddTempExp.py": ("", _NO_COADD),
    "assembleCoadd.py": ("", _NO_COADD),
    "stack.py": ("", _NO_COADD),
    "multiBand.py": ("", _NO_COADD),
    "sqlite3": ("hscdb psql REPO", "raw and raw_visit are tables frame and visit; view frame_info joins them"),
}


def heir(name: str) -> str | None:
    """Our command for one of hscPipe's, or why there is none, as a phrase; None if hscPipe has no such command."""
    key = name if name in HEIRS else f"{name}.py"
    if key not in HEIRS:
        return None
    ours, note = HEIRS[key]
    if not ours:
        return note
    return f"`{ours}`" + (f" ({note})" if note else "")


def nearest(name: str) -> str | None:
    """The hscPipe command a misspelt word may mean."""
    near = get_close_matches(name, HEIRS, 1, 0.6)
    return near[0] if near else None
