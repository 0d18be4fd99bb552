"""Pictures of the residuals, one function each: arrays in, figure out. Names are those of hscPipe's mosaic."""

from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

Rows = npt.NDArray[np.void]

_BEFORE, _AFTER = "#9aa0a6", "#1f5fbf"  # gray: first calibration; blue: joint solution


def _sigma(x: npt.NDArray[np.float64]) -> float:
    x = x[np.isfinite(x)]
    return float(1.4826 * np.median(np.abs(x))) if x.size else 0.0


def position_scatter(rows: Rows, title: str) -> Figure:
    """ResPosScatter: position residuals in ra and dec, before and after, with their histograms."""
    figure = Figure(figsize=(8.0, 8.0), layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=(3, 1), height_ratios=(1, 3))
    cloud, top, right = figure.add_subplot(grid[1, 0]), figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[1, 1])
    limit = max(5.0 * _sigma(rows["ra_before_mas"]), 5.0 * _sigma(rows["dec_before_mas"]), 1.0)
    edges = np.linspace(-limit, limit, 81).tolist()
    for which, color in (("before", _BEFORE), ("after", _AFTER)):
        ra, dec = rows[f"ra_{which}_mas"], rows[f"dec_{which}_mas"]
        label = f"{which}: {_sigma(ra):.1f}, {_sigma(dec):.1f} mas"
        cloud.plot(ra, dec, ".", ms=2, color=color, alpha=0.4, label=label, rasterized=True)
        top.hist(ra[np.isfinite(ra)], edges, histtype="step", color=color)
        right.hist(dec[np.isfinite(dec)], edges, histtype="step", color=color, orientation="horizontal")
    cloud.set(
        xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal",
        xlabel=r"$\Delta\alpha\,\cos\delta$ [mas]", ylabel=r"$\Delta\delta$ [mas]",
    )  # fmt: skip
    cloud.legend(loc="upper left", title="robust sigma (ra, dec)", markerscale=4)
    top.set(xlim=(-limit, limit), ylabel="detections")
    right.set(ylim=(-limit, limit), xlabel="detections")
    figure.suptitle(f"Position residuals, detection minus star\n{title}")
    return figure


def magnitude_residuals(rows: Rows, title: str) -> Figure:
    """MdM: magnitude residuals against magnitude, before and after."""
    figure = Figure(figsize=(9.0, 7.0), layout="constrained")
    axes = figure.subplots(2, 1, sharex=True, sharey=True)
    mag = rows["mag"]
    bright = (
        np.isfinite(mag) & (mag < np.nanpercentile(mag, 30)) if np.isfinite(mag).any() else np.zeros(len(mag), bool)
    )
    limit = max(6.0 * _sigma(rows["mag_before_mmag"]), 5.0)
    for ax, which, color in zip(axes, ("before", "after"), (_BEFORE, _AFTER), strict=True):
        dm = rows[f"mag_{which}_mmag"]
        ax.plot(mag, dm, ".", ms=2, color=color, alpha=0.5, rasterized=True)
        ax.axhline(0.0, color="black", lw=0.6)
        ax.set(ylim=(-limit, limit), ylabel=r"$\Delta m$ [mmag]")
        ax.set_title(
            f"{which}: robust sigma {_sigma(dm):.1f} mmag, brightest 30 %: {_sigma(dm[bright]):.1f} mmag", fontsize=10
        )
    axes[1].set(xlabel="AB magnitude")
    figure.suptitle(f"Magnitude residuals, detection minus star\n{title}")
    return figure


def arrows(rows: Rows, visit: int, title: str) -> Figure:
    """ResPosArrow2D: position residuals of one visit over the focal plane, averaged in cells, before and after."""
    figure = Figure(figsize=(12.0, 6.2), layout="constrained")
    axes = figure.subplots(1, 2, sharex=True, sharey=True)
    mine = rows[rows["visit"] == visit]
    cell = max(float(np.ptp(mine["u_pix"])), float(np.ptp(mine["v_pix"])), 1.0) / 24.0
    i, j = np.floor(mine["u_pix"] / cell), np.floor(mine["v_pix"] / cell)
    _, group = np.unique(np.stack([i, j], axis=1), axis=0, return_inverse=True)
    n_group = int(group.max()) + 1 if len(mine) else 0
    for ax, which, color in zip(axes, ("before", "after"), (_BEFORE, _AFTER), strict=True):
        means = {}
        for name in ("u_pix", "v_pix", f"ra_{which}_mas", f"dec_{which}_mas"):
            good = np.isfinite(mine[f"ra_{which}_mas"])
            count = np.maximum(np.bincount(group[good], minlength=n_group), 1)
            means[name] = np.bincount(group[good], mine[name][good], n_group) / count
        length = max(_sigma(mine["ra_before_mas"]), _sigma(mine["dec_before_mas"]), 1.0)
        key = float(10.0 ** np.ceil(np.log10(length)))
        quiver = ax.quiver(
            means["u_pix"], means["v_pix"], means[f"ra_{which}_mas"], means[f"dec_{which}_mas"],
            angles="xy", scale_units="xy", scale=key / (2.0 * cell), width=0.003, color=color,
        )  # fmt: skip
        ax.quiverkey(quiver, 0.9, 1.03, key, f"{key:g} mas", labelpos="W")
        rms = np.sqrt(np.nanmean(mine[f"ra_{which}_mas"] ** 2 + mine[f"dec_{which}_mas"] ** 2)) if len(mine) else np.nan
        ax.set(xlabel="u [pix]", aspect="equal")
        ax.set_title(f"{which}: 2-d rms {rms:.1f} mas", fontsize=10, loc="left")
    axes[0].set(ylabel="v [pix]")
    figure.suptitle(f"Mean position residuals of visit {visit} in {cell:.0f}-pix cells (x: east, y: north)\n{title}")
    return figure


def per_visit(scatter: Rows, title: str) -> Figure:
    """visitRms: internal rms of each visit before and after, positions and magnitudes."""
    figure = Figure(figsize=(9.0, 6.5), layout="constrained")
    axes = figure.subplots(2, 1, sharex=True)
    rows = scatter[(scatter["sample"] == "all") & (scatter["visit"] >= 0)]
    visits = np.unique(rows["visit"])
    for which, color in (("before", _BEFORE), ("after", _AFTER)):
        mine = rows[rows["variant"] == which]
        at: Any = np.searchsorted(visits, mine["visit"])
        both = np.sqrt(0.5 * (mine["rms_ra_mas"] ** 2 + mine["rms_dec_mas"] ** 2))
        axes[0].plot(at, both, "o-", color=color, label=which)
        axes[1].plot(at, mine["rms_mmag"], "o-", color=color, label=which)
    axes[0].set(ylabel="rms per axis [mas]", ylim=(0, None))
    axes[1].set(ylabel="rms [mmag]", ylim=(0, None), xlabel="visit")
    shown = np.unique(np.linspace(0, max(len(visits) - 1, 0), 12).astype(int))
    axes[1].set_xticks(shown, [str(v) for v in visits[shown]] if len(visits) else [], rotation=30, ha="right")
    axes[0].legend()
    figure.suptitle(f"Internal scatter of bright stars per visit\n{title}")
    return figure
