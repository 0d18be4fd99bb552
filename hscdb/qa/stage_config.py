"""Settings of qa, apart from what it imports: a run keeps those of all stages."""

from dataclasses import dataclass

from hscdb.run.config import setting


@dataclass(frozen=True)
class Config:
    """Settings of qa."""

    snr_min: float = setting(100.0, "least S/N of the detections judged by", was="validate_drp brightSnr")
    n_star_max: int = setting(2000, "most stars for the pairs of AM1 to AM3")
    n_visit_plot_max: int = setting(50, "most visits with a picture of their own")
    do_plots: bool = setting(True, "draw pictures", was="--diagnostics")
