"""Settings of apply, apart from what it imports: a run keeps those of all stages."""

from dataclasses import dataclass

from hscdb.run.config import setting


@dataclass(frozen=True)
class Config:
    """Settings of apply."""

    do_image: bool = setting(True, "write CALEXP, the calibrated image", was="calibrateExposure.py")
    do_catalog: bool = setting(True, "write CALSRC, the calibrated catalog", was="calibrateCatalog.py")
    do_apply_calib: bool = setting(
        False, "CALSRC with magnitudes in place of fluxes (counts times F)", was="doApplyCalib"
    )
