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


def html(title: str, metrics: npt.NDArray[np.void], pictures: Sequence[tuple[str, bytes]]) -> str:
    """The page.

    metrics  : rows of qa/read_page_metrics.
    pictures : (name, PNG) in the order in which they are shown.
    """
    rows = "\n".join(
        f"<tr><td>{escape(str(row['metric']))}</td><td>{escape(str(row['sample']))}</td>"
        f"<td class=n>{_number(row['before'])}</td><td class=n>{_number(row['after'])}</td>"
        f"<td>{escape(str(row['unit']))}</td><td class=n>{row['n_used']}</td></tr>"
        for row in metrics
    )
    links = " ".join(f'<a href="#{_anchor(name)}">{escape(name)}</a>' for name, _ in pictures)
    figures = "\n".join(
        f'<figure id="{_anchor(name)}"><img alt="{escape(name)}" '
        f'src="data:image/png;base64,{base64.b64encode(png).decode("ascii")}"><figcaption>{escape(name)}</figcaption></figure>'
        for name, png in pictures
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head>\n<body>\n<h1>{escape(title)}</h1>\n"
        "<p>before: by the first calibration of each frame; after: by the joint solution. Reserved stars are in no fit."
        "</p>\n<table><tr><th>metric</th><th>stars</th><th>before</th><th>after</th><th>unit</th><th>n</th></tr>\n"
        f"{rows}\n</table>\n<nav>{links}</nav>\n{figures}\n</body></html>\n"
    )


def _number(figure: float) -> str:
    return f"{figure:.4g}" if np.isfinite(figure) else "&ndash;"


def _anchor(name: str) -> str:
    return name.replace(" ", "-")
