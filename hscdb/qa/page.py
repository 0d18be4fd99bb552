"""One page of HTML with the metrics and all pictures of a tract and filter, complete in itself."""

import base64
from collections.abc import Sequence
from html import escape

import numpy as np
import numpy.typing as npt

_STYLE = (
    "body{font:15px/1.5 sans-serif;margin:2em auto;max-width:1200px;padding:0 1em;color:#222}"
    "table{border-collapse:collapse}td,th{padding:.2em .8em;border-bottom:1px solid #ddd;text-align:left}"
    "td.n{text-align:right;font-variant-numeric:tabular-nums}img{max-width:100%;border:1px solid #ddd}"
    "figure{margin:2em 0}nav a{margin-right:1em}"
)

# beginning of a metric's name -> what it is, in the order in which they are shown
_MEANINGS = (
    ("internal_rms", "detections about the mean of their star, per axis"),
    ("position_floor", "what photon noise does not explain of the internal rms"),
    ("magnitude_floor", "what photon noise does not explain of the internal rms"),
    ("external_median", "stars minus reference stars"),
    ("external_rms", "stars about reference stars"),
    ("PA1", "median scatter of a star's magnitudes (LPM-17)"),
    ("PA2", "90 % of the magnitudes deviate less from their star's mean (LPM-17)"),
    ("PF1", "magnitudes that deviate by more than 15 mmag (LPM-17)"),
    ("AM", "median scatter of separations of 5 (1), 20 (2), 60 (3) arcmin (LPM-17)"),
    ("AD", "90 % of these separations deviate less from their mean (LPM-17)"),
    ("AF", "separations that deviate by more than the survey's requirement (LPM-17)"),
    ("residual_xi_e", "correlation of residuals within visits, gradient part: the air"),
    ("residual_xi_b", "correlation of residuals within visits, curl part"),
    ("zero_point", "zero points of the visits about those of the same hour: transparency"),
)
# picture -> what it shows
_CAPTIONS = {
    "ResPosScatter": "residuals of positions, detection minus star",
    "PosDPos": "residuals of positions against place",
    "MdM": "residuals of magnitudes against magnitude; below, stars minus references",
    "ResFlux": "residuals of magnitudes: all, by visit, by CCD; scales of the CCDs",
    "DFlux2D": "residuals of magnitudes over the field of view",
    "visitRms": "internal scatter of each visit",
    "ResPosArrow2D": "mean residuals of positions over the field of view",
    "fcont": "correction of the flux scale over the field of view, without the distortion",
    "jcont": "pixel area over the field of view: the distortion, which has to be concentric",
}


def html(title: str, metrics: npt.NDArray[np.void], pictures: Sequence[tuple[str, bytes]]) -> str:
    """The page.

    metrics  : rows of qa/read_page_metrics.
    pictures : (name, PNG) in the order in which they are shown.
    """
    rows = "\n".join(
        f"<tr><td>{escape(str(row['metric']))}</td><td>{escape(_meaning(str(row['metric']))[1])}</td>"
        f"<td>{escape(str(row['sample']))}</td>"
        f"<td class=n>{_number(row['before'])}</td><td class=n>{_number(row['after'])}</td>"
        f"<td>{escape(str(row['unit']))}</td><td class=n>{row['n_used']}</td></tr>"
        for row in sorted(metrics, key=lambda each: _meaning(str(each["metric"]))[0])
    )
    links = " ".join(f'<a href="#{_anchor(name)}">{escape(name)}</a>' for name, _ in pictures)
    figures = "\n".join(
        f'<figure id="{_anchor(name)}"><img alt="{escape(name)}" '
        f'src="data:image/png;base64,{base64.b64encode(png).decode("ascii")}">'
        f"<figcaption>{escape(name)}: {escape(_CAPTIONS.get(name.partition(' ')[0], ''))}</figcaption></figure>"
        for name, png in pictures
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head>\n<body>\n<h1>{escape(title)}</h1>\n"
        "<p>before: by the first calibration of each frame; after: by the joint solution. Reserved stars are in no fit."
        "</p>\n<table><tr><th>metric</th><th>what it is</th><th>stars</th><th>before</th><th>after</th><th>unit</th>"
        "<th>n</th></tr>\n"
        f"{rows}\n</table>\n<nav>{links}</nav>\n{figures}\n</body></html>\n"
    )


def _meaning(metric: str) -> tuple[int, str]:
    """Place in the table, and what the metric is."""
    found = ((at, text) for at, (name, text) in enumerate(_MEANINGS) if metric.startswith(name))
    return next(found, (len(_MEANINGS), ""))


def _number(figure: float) -> str:
    return f"{figure:.4g}" if np.isfinite(figure) else "&ndash;"


def _anchor(name: str) -> str:
    return name.replace(" ", "-")
