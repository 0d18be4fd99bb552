"""Settings of master, apart from what it imports: a run keeps those of all stages."""

from dataclasses import dataclass

from hscdb.run.config import setting


@dataclass(frozen=True)
class Config:
    validity_days: int = setting(
        180, "days before and after its date for which a master holds; neighbors share at the midpoint", unit="d",
        was="validity",
    )  # fmt: skip
    night_gap_days: int = setting(30, "frames of nights further apart go into different masters", unit="d")
    n_frame_min: int = setting(1, "frames a master needs at least")
    n_sigma: float = setting(4.0, "pixels further from the center of the stack are left out", was="clip")
    floor: float = setting(0.005, "part of the level that frames may differ by besides their noise")
    do_bias: bool = setting(True, "subtract the master bias from darks and flats", was="isr.doBias")
    do_dark: bool = setting(True, "subtract the master dark from flats and science frames", was="isr.doDark")
    do_flat: bool = setting(True, "divide science frames by the master flat", was="isr.doFlat")
    do_linearity: bool = setting(True, "correct the response of darks and flats", was="isr.doLinearize")
    do_crosstalk: bool = setting(True, "correct the crosstalk of darks and flats", was="isr.doCrosstalk")
    do_defects: bool = setting(True, "leave dead amplifiers alone", was="isr.doDefect")
    do_vignette: bool = setting(True, "no flat outside the lit circle (NO_DATA)", was="doVignette")
    fringe_smooth_pix: float = setting(1.0, "sigma by which a fringe frame is smoothed", unit="pix")
    sky_mesh_pix: int = setting(128, "mesh through which a sky frame is smoothed", unit="pix")
    hot_min_e_s: float = setting(0.5, "pixels this far above the dark's level are bad", unit="electron/s")
    hot_n_sigma: float = setting(6.0, "and this many sigma of the dark")
    response_max: float = setting(0.2, "pixels whose response differs by more from that of their neighbors are bad")
