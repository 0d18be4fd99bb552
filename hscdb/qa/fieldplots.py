"""Pictures over the focal plane: fcont, jcont, DFlux2D, ResFlux, PosDPos (names of hscPipe's mosaic)."""

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hscdb.camera.model import Camera
from hscdb.qa.fields import Cells
from hscdb.qa.plots import AFTER, BEFORE, bright, sigma
from hscdb.sky import sphere

Rows = npt.NDArray[np.void]
Floats = npt.NDArray[np.float64]


def _one_field(cells: Cells) -> Figure:
    """A figure as wide as the field and its color bar need."""
    width, height = np.ptp(cells.corners.reshape(-1, 2), axis=0) if len(cells.corners) else (1.0, 1.0)
    return Figure(figsize=(min(max(6.0 * width / max(height, 1.0), 4.2), 7.0) + 1.6, 7.2), layout="constrained")


def _painted(
    ax: Axes, cells: Cells, figures: Floats, colors: str, name: str, limits: tuple[float, float] | None = None
) -> None:
    """Cells colored by a figure, with a color bar."""
    drawn = PolyCollection(list(cells.corners), array=figures, cmap=colors, edgecolors="face", linewidths=0.3)
    if limits:
        drawn.set_clim(*limits)
    ax.add_collection(drawn)
    ax.autoscale_view()
    ax.set(aspect="equal", xlabel="u [pix]", ylabel="v [pix]")
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.figure.colorbar(drawn, ax=ax, shrink=0.8, label=name)


def _span(figures: Floats, unit: str) -> str:
    low, high = (float(np.min(figures)), float(np.max(figures))) if figures.size else (np.nan, np.nan)
    return f"{low:.4f} to {high:.4f}{unit}"


def jacobian(cells: Cells, visit: int, title: str) -> Figure:
    """jcont: pixel area over that at the optical center; the pattern is concentric where the optics alone make it."""
    figure = _one_field(cells)
    ax = figure.subplots()
    _painted(ax, cells, cells.jacobian, "viridis", "pixel area over that at the optical center")
    radius = float(np.max(np.hypot(*cells.corners.reshape(-1, 2).T))) if len(cells.corners) else 1.0
    angle = np.linspace(0.0, 2.0 * np.pi, 181)
    limits = ax.get_xlim(), ax.get_ylim()
    for part in (0.25, 0.5, 0.75, 1.0):
        ax.plot(part * radius * np.cos(angle), part * radius * np.sin(angle), "w--", lw=0.6)
    ax.set(xlim=limits[0], ylim=limits[1])
    figure.suptitle(
        f"jcont: Jacobian of visit {visit}\n{_span(cells.jacobian, '')} (dashed: circles)\n{title}",
        fontsize=10,
    )
    return figure


def correction(cells: Cells, visit: int, title: str) -> Figure:
    """fcont: flux correction without Jacobian, zero point and CCD scales: what the dome flat had wrong."""
    figure = _one_field(cells)
    ax = figure.subplots()
    half = max(float(np.max(np.abs(cells.correction - 1.0))), 1e-4) if cells.correction.size else 1e-4
    _painted(ax, cells, cells.correction, "RdBu_r", "flux correction", (1.0 - half, 1.0 + half))
    rms = 1086.0 * float(np.std(cells.correction)) if cells.correction.size else np.nan
    figure.suptitle(
        f"fcont: flux correction of visit {visit}, 1 at the optical center\n{_span(cells.correction, '')}, "
        f"rms about the mean {rms:.2f} mmag\n{title}",
        fontsize=10,
    )
    return figure


def flux_residuals_2d(rows: Rows, title: str, snr_min: float) -> Figure:
    """DFlux2D: median magnitude residual of bright stars over the focal plane, all visits, before and after."""
    rows = bright(rows, snr_min)
    width, height = (max(float(np.ptp(rows[name])), 1.0) if len(rows) else 1.0 for name in ("u_pix", "v_pix"))
    cell = max(width, height) / min(max(np.sqrt(len(rows) / 10.0 * max(width, height) / min(width, height)), 4.0), 48.0)
    figure = Figure(figsize=(2.0 * min(max(6.0 * width / height, 3.2), 7.0) + 2.0, 7.0), layout="constrained")
    axes = figure.subplots(1, 2, sharex=True, sharey=True)
    place, group = np.unique(
        np.stack([np.floor(rows["u_pix"] / cell), np.floor(rows["v_pix"] / cell)], axis=1), axis=0, return_inverse=True
    )
    corners = cell * (place[:, None, :] + np.array([(0, 0), (1, 0), (1, 1), (0, 1)]))
    limit = max(2.0 * sigma(rows["mag_before_mmag"]), 1.0)
    for ax, which in zip(axes, ("before", "after"), strict=True):
        dm = rows[f"mag_{which}_mmag"]
        good = np.isfinite(dm)
        count = np.bincount(group[good], minlength=len(place))
        by_cell = np.split(dm[good][np.argsort(group[good], kind="stable")], np.cumsum(count)[:-1])
        middle = np.array([np.median(part) for part in by_cell if part.size])
        drawn = PolyCollection(list(corners[count > 0]), array=middle, cmap="RdBu_r", edgecolors="face")
        drawn.set_clim(-limit, limit)
        ax.add_collection(drawn)
        ax.autoscale_view()
        ax.set(aspect="equal", xlabel="u [pix]")
        ax.xaxis.set_major_locator(MaxNLocator(4))
        rms = float(np.sqrt(np.mean(middle**2))) if middle.size else np.nan
        ax.set_title(f"{which}: rms of the medians {rms:.2f} mmag", fontsize=10)
        figure.colorbar(drawn, ax=ax, shrink=0.8, label=r"$\Delta m$ [mmag]")
    axes[0].set(ylabel="v [pix]")
    figure.suptitle(
        f"DFlux2D: magnitude residuals in {cell:.0f}-pix cells, {len(rows)} detections with S/N > {snr_min:g}\n{title}",
        fontsize=10,
    )
    return figure


def _boxes(ax: Axes, key: npt.NDArray[np.int64], dm: Floats, name: str) -> None:
    """Median and quartiles of residuals by visit or CCD."""
    keys = np.unique(key)
    at = np.arange(keys.size)
    quartiles = np.array([np.percentile(dm[key == one], (25.0, 50.0, 75.0)) for one in keys]).reshape(-1, 3)
    spread = np.abs(quartiles[:, [0, 2]].T - quartiles[:, 1])
    ax.errorbar(at, quartiles[:, 1], spread, fmt="o", ms=3, lw=0.8, color=AFTER)
    ax.axhline(0.0, color="black", lw=0.6)
    shown = np.unique(np.linspace(0, max(keys.size - 1, 0), 10).astype(int))
    ax.set_xticks(shown, [str(one) for one in keys[shown]] if keys.size else [], rotation=30, ha="right", fontsize=8)
    ax.set(xlabel=name, ylabel=r"$\Delta m$ [mmag]")
    ax.set_title(f"median and quartiles by {name}", fontsize=10)


def flux_residuals(rows: Rows, ccds: Rows, camera: Camera, title: str, snr_min: float) -> Figure:
    """ResFlux: magnitude residuals of bright stars, the CCDs' scales, residuals by visit and by CCD."""
    figure = Figure(figsize=(11.0, 8.0), layout="constrained")
    axes = figure.subplots(2, 2)
    rows = bright(rows, snr_min)
    limit = max(5.0 * sigma(rows["mag_before_mmag"]), 1.0)
    edges = np.linspace(-limit, limit, 81).tolist()
    for which, color in (("before", BEFORE), ("after", AFTER)):
        dm = rows[f"mag_{which}_mmag"]
        label = f"{which}: robust sigma {sigma(dm):.2f} mmag"
        axes[0, 0].hist(dm[np.isfinite(dm)], edges, histtype="step", color=color, label=label)
    axes[0, 0].legend(fontsize=8)
    axes[0, 0].set(xlabel=r"$\Delta m$ [mmag]", ylabel="detections")
    axes[0, 0].set_title(f"{len(rows)} detections with S/N > {snr_min:g}", fontsize=10)
    center = np.array([[camera.ccds[int(c)].u_pix, camera.ccds[int(c)].v_pix] for c in ccds["ccd"]]).reshape(-1, 2)
    axes[0, 1].errorbar(
        np.hypot(*center.T), 1e3 * ccds["scale_mag"], 1e3 * np.nan_to_num(ccds["scale_mag_err"]), fmt="o", ms=3,
        lw=0.8, color=AFTER,
    )  # fmt: skip
    axes[0, 1].set(xlabel="distance of the CCD from the optical center [pix]", ylabel="scale of the CCD [mmag]")
    axes[0, 1].set_title(f"{len(ccds)} CCDs: rms {1e3 * float(np.nanstd(ccds['scale_mag'])):.1f} mmag", fontsize=10)
    good = np.isfinite(rows["mag_after_mmag"])
    for ax, name in zip(axes[1], ("visit", "ccd"), strict=True):
        _boxes(ax, rows[name][good].astype(np.int64), rows["mag_after_mmag"][good], name)
    figure.suptitle(f"ResFlux: magnitude residuals, detection minus star\n{title}")
    return figure


def _rms(x: Floats) -> float:
    return float(np.sqrt(np.nanmean(x**2))) if np.isfinite(x).any() else float("nan")


def position_residuals(rows: Rows, title: str, snr_min: float) -> Figure:
    """PosDPos: position residuals of bright stars along and across each axis of the sky, with running medians."""
    figure = Figure(figsize=(11.0, 8.0), layout="constrained")
    axes = figure.subplots(2, 2, sharex="col", sharey="row")
    rows = bright(rows, snr_min)
    rows = rows[np.isfinite(rows["ra"]) & np.isfinite(rows["ra_after_mas"])]
    middle = sphere.mean_position(rows["ra"], rows["dec"]) if len(rows) else (0.0, 0.0)
    places = [60.0 * np.asarray(a) for a in sphere.project(rows["ra"], rows["dec"], *middle)]
    for i, (name, label) in enumerate((("ra", r"$\Delta\alpha\cos\delta$"), ("dec", r"$\Delta\delta$"))):
        limit = max(5.0 * sigma(rows[f"{name}_before_mas"]), 1.0)
        for j, axis in enumerate(("xi", "eta")):
            ax, order, told = axes[i, j], np.argsort(places[j]), []
            for which, color in (("before", BEFORE), ("after", AFTER)):
                d = rows[f"{name}_{which}_mas"]
                if which == "after":
                    ax.plot(places[j], d, ".", ms=2, color=color, alpha=0.3, rasterized=True)
                parts = [part for part in np.array_split(order, max(min(len(rows) // 20, 25), 1)) if part.size]
                running = np.array([[np.median(places[j][part]), np.nanmedian(d[part])] for part in parts])
                ax.plot(*running.reshape(-1, 2).T, "-", lw=1.5, color=color, label=f"{which}, running median")
                told.append(f"{which}: rms of the medians {_rms(running.reshape(-1, 2)[:, 1]):.2f} mas")
            ax.set_title(";  ".join(told), fontsize=9)
            ax.axhline(0.0, color="black", lw=0.6)
            ax.set(ylim=(-limit, limit))
            if i == 1:
                ax.set_xlabel(rf"$\{axis}$ [arcmin]")
            if j == 0:
                ax.set_ylabel(f"{label} [mas]")
    axes[0, 0].legend(fontsize=8, loc="upper left")
    figure.suptitle(
        f"PosDPos: position residuals about RA {middle[0]:.4f}, Dec {middle[1]:.4f}; {len(rows)} detections with "
        f"S/N > {snr_min:g}\n{title}", fontsize=11,
    )  # fmt: skip
    return figure
