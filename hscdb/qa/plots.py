"""Pictures of the residuals, one function each: arrays in, figure out. Names are those of hscPipe's mosaic."""

from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

Rows = npt.NDArray[np.void]

BEFORE, AFTER = "#9aa0a6", "#1f5fbf"  # gray: first calibration; blue: joint solution
_N_BRIGHT = 100
_FLOOR_MAS = 2.0  # no detection counts more than one with this error


def sigma(x: npt.NDArray[np.float64]) -> float:
    """Robust sigma about zero, NaN left out; 0 of nothing."""
    x = x[np.isfinite(x)]
    return float(1.4826 * np.median(np.abs(x))) if x.size else 0.0


def bright(rows: Rows, snr_min: float) -> Rows:
    """Detections with a S/N above a limit; those whose S/N is not known count as bright."""
    return rows[~(rows["snr"] <= snr_min)]


def lowered(rows: Rows, snr_min: float) -> float:
    """The limit, or S/N of the brightest quarter where fewer than 100 detections reach it: no picture stays empty."""
    snr = rows["snr"][np.isfinite(rows["snr"])]
    if len(bright(rows, snr_min)) >= _N_BRIGHT or not snr.size:
        return snr_min
    return min(snr_min, float(f"{np.quantile(snr, 0.75):.2g}"))


def _told(x: npt.NDArray[np.float64]) -> str:
    """Median and robust sigma."""
    return f"{np.nanmedian(x):.2f} +- {sigma(x):.2f}" if np.isfinite(x).any() else "none"


def position_scatter(rows: Rows, title: str, snr_min: float) -> Figure:
    """ResPosScatter: position residuals of bright stars in ra and dec, before and after, with their histograms."""
    figure = Figure(figsize=(8.0, 8.0), layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=(3, 1), height_ratios=(1, 3))
    cloud, top, right = figure.add_subplot(grid[1, 0]), figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[1, 1])
    rows = bright(rows, snr_min)
    limit = max(5.0 * sigma(rows["ra_before_mas"]), 5.0 * sigma(rows["dec_before_mas"]), 1.0)
    edges = np.linspace(-limit, limit, 81).tolist()
    for which, color in (("before", BEFORE), ("after", AFTER)):
        ra, dec = rows[f"ra_{which}_mas"], rows[f"dec_{which}_mas"]
        label = f"{which}: {_told(ra)}, {_told(dec)} mas"
        cloud.plot(ra, dec, ".", ms=3, color=color, alpha=0.5, label=label, rasterized=True)
        top.hist(ra[np.isfinite(ra)], edges, histtype="step", color=color)
        right.hist(dec[np.isfinite(dec)], edges, histtype="step", color=color, orientation="horizontal")
    cloud.set(
        xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal",
        xlabel=r"$\Delta\alpha\,\cos\delta$ [mas]", ylabel=r"$\Delta\delta$ [mas]",
    )  # fmt: skip
    cloud.legend(loc="upper left", title="median +- robust sigma (ra, dec)", markerscale=4)
    top.set(xlim=(-limit, limit), ylabel="detections")
    right.set(ylim=(-limit, limit), xlabel="detections")
    figure.suptitle(f"Position residuals, detection minus star; {len(rows)} detections with S/N > {snr_min:g}\n{title}")
    return figure


def magnitude_residuals(rows: Rows, stars: Rows, title: str, snr_min: float) -> Figure:
    """MdM: residuals against magnitude: detection minus star before and after, star minus reference."""
    figure = Figure(figsize=(9.0, 9.0), layout="constrained")
    axes = figure.subplots(3, 1, sharex=True)
    chosen = ~(rows["snr"] <= snr_min)
    limit = max(6.0 * sigma(rows["mag_before_mmag"]), 5.0)
    for ax, which, color in zip(axes, ("before", "after"), (BEFORE, AFTER), strict=False):
        dm = rows[f"mag_{which}_mmag"]
        ax.plot(rows["mag"], dm, ".", ms=2, color=color, alpha=0.5, rasterized=True)
        ax.set(ylim=(-limit, limit), ylabel=r"$\Delta m$ [mmag]")
        ax.set_title(
            f"{which}, detection minus star: robust sigma {sigma(dm):.1f} mmag; "
            f"with S/N > {snr_min:g}: {sigma(dm[chosen]):.1f} mmag", fontsize=10,
        )  # fmt: skip
    off = 1e3 * (stars["mag"] - stars["ref_mag"])
    middle = float(np.nanmedian(off)) if np.isfinite(off).any() else float("nan")
    axes[2].plot(stars["mag"], off, ".", ms=3, color="#c2571a", alpha=0.5, rasterized=True)
    axes[2].set(ylabel="star - reference [mmag]", xlabel="AB magnitude")
    far = max(6.0 * sigma(off - middle), 5.0)
    axes[2].set(ylim=(-far, far))
    told = f"{np.isfinite(off).sum()} stars against references"
    if np.isfinite(middle):
        told += f": median {middle:.1f}, robust sigma {sigma(off - middle):.1f} mmag"
    axes[2].set_title(told, fontsize=10)
    for ax in axes:
        ax.axhline(0.0, color="black", lw=0.6)
    figure.suptitle(f"MdM: magnitude residuals\n{title}")
    return figure


def arrows(rows: Rows, visit: int, title: str) -> Figure:
    """ResPosArrow2D: position residuals of one visit over the focal plane, averaged in cells, before and after.

    The means are weighted by 1 / (error^2 + floor^2): what is left of distortion and turbulence is seen, not the noise
    of the faint; outliers are left out. Cells are as small as about five detections each allow, at most 24 across.
    """
    mine = rows[(rows["visit"] == visit) & (rows["is_used"] | rows["is_reserved"])]
    width, height = (max(float(np.ptp(mine[name])), 1.0) if len(mine) else 1.0 for name in ("u_pix", "v_pix"))
    n_across = min(max(np.sqrt(len(mine) / 5.0 * max(width, height) / min(width, height)), 4.0), 24.0)
    cell = max(width, height) / n_across
    figure = Figure(figsize=(2.0 * min(max(6.0 * width / height, 3.2), 7.0) + 1.0, 7.0))
    # axes of equal scale leave the layout too little room below, and the arrow of the scale stands there too
    figure.set_layout_engine("constrained", rect=(0.0, 0.05, 1.0, 0.95))
    axes = figure.subplots(1, 2, sharex=True, sharey=True)
    i, j = np.floor(mine["u_pix"] / cell), np.floor(mine["v_pix"] / cell)
    _, group = np.unique(np.stack([i, j], axis=1), axis=0, return_inverse=True)
    n_group = int(group.max()) + 1 if len(mine) else 0
    weight = 1.0 / (np.nan_to_num(mine["position_mas_err"]) ** 2 + _FLOOR_MAS**2)
    drawn = []
    for ax, which, color in zip(axes, ("before", "after"), (BEFORE, AFTER), strict=True):
        good = np.isfinite(mine[f"ra_{which}_mas"]) & np.isfinite(mine[f"dec_{which}_mas"])
        total = np.bincount(group[good], weight[good], n_group)
        names = ("u_pix", "v_pix", f"ra_{which}_mas", f"dec_{which}_mas")
        sums = np.stack([np.bincount(group[good], (weight * mine[name])[good], n_group) for name in names])
        means = sums[:, total > 0] / total[total > 0]
        drawn.append((ax, which, color, means, float(np.sqrt(np.mean(means[2:] ** 2))) if means.size else np.nan))
    length = max(np.nan_to_num(drawn[0][4]), 0.1)
    key = float(10.0 ** np.round(np.log10(3.0 * length)))
    for ax, which, color, means, rms in drawn:
        if means.size:  # an empty field of arrows has no extent, and its key none either
            quiver = ax.quiver(*means, angles="xy", scale_units="xy", scale=key / cell, width=0.004, color=color)
            named = ax.quiverkey(quiver, 0.9, 0.02, key, f"{key:g} mas", labelpos="W", coordinates="figure")
            for artist in (quiver, named):  # their boxes are wrong before they are drawn: the layout cut labels off
                artist.set_in_layout(False)
        ax.margins(0.12)  # arrows point out of the field
        ax.set(xlabel="u [pix]", aspect="equal")
        ax.set_title(f"{which}: rms of the means {rms:.2f} mas per axis", fontsize=10, loc="left")
    axes[0].set(ylabel="v [pix]")
    figure.suptitle(
        f"Mean position residuals of visit {visit} in {cell:.0f}-pix cells (to the right: east, up: north)\n{title}",
        fontsize=11,
    )
    return figure


def per_visit(scatter: Rows, title: str) -> Figure:
    """visitRms: internal rms of each visit before and after, positions and magnitudes."""
    figure = Figure(figsize=(9.0, 6.5), layout="constrained")
    axes = figure.subplots(2, 1, sharex=True)
    rows = scatter[(scatter["sample"] == "all") & (scatter["visit"] >= 0)]
    visits = np.unique(rows["visit"])
    for which, color in (("before", BEFORE), ("after", AFTER)):
        mine = rows[rows["variant"] == which]
        at: Any = np.searchsorted(visits, mine["visit"])
        both = np.sqrt(0.5 * (mine["rms_ra_mas"] ** 2 + mine["rms_dec_mas"] ** 2))
        axes[0].plot(at, both, "o-", color=color, label=which)
        axes[1].plot(at, mine["rms_mmag"], "o-", color=color, label=which)
    axes[0].set(ylabel="rms per axis [mas]")
    axes[1].set(ylabel="rms [mmag]", xlabel="visit")
    for each in axes:  # from 0, with room above the highest mark
        each.set_ylim(0, 1.1 * max(each.dataLim.y1, 1e-3) if np.isfinite(each.dataLim.y1) else 1)
    shown = np.unique(np.linspace(0, max(len(visits) - 1, 0), 12).astype(int))
    axes[1].set_xticks(shown, [str(v) for v in visits[shown]] if len(visits) else [], rotation=30, ha="right")
    axes[0].legend()
    figure.suptitle(f"Internal scatter of bright stars per visit\n{title}")
    return figure
