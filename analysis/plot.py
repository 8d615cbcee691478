"""Plot: time against ranks, what was measured beside what is assumed, never mixed.

One row of panels per series. Left, on white: measured points, and the fit with its 90 % band
inside the measured tier. Right, on a tinted ground and dashed: the forecast on a fabric file.
Colour is message size, dark for small, in both; dotted below each is the least that physics allows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .drawing.forecast import FORECAST_TO_RANKS, draw_forecast
from .drawing.measured import MARKERS, curve_end, draw_measured
from .drawing.panel import BOUND_DASHES, MEASURED_INK
from .drawing.style import ASSUMED_INK
from .extrapolate import Extrapolator

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import BinaryIO

    from matplotlib.figure import Figure

    from .fabrics import Fabric
    from .fit import Fit

__all__ = ["FORECAST_TO_RANKS", "MOST_SERIES", "SUFFIXES", "draw", "save"]

SUFFIXES = (".png", ".svg", ".pdf")
"""Formats by the end of the file's name."""

MOST_SERIES = 6
"""Series that one picture holds; more are unreadable."""

_MARK_NAMES = {"copy": "copy: within one memory", "ranks_per_gpu": "several ranks on one GPU"}
_STYLE: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same picture everywhere
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.labelsize": 9.0,
    "hatch.linewidth": 0.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "collcast",
    "path.simplify": False,
}


def draw(fits: Sequence[Fit], fabric: Fabric | None, machine: str = "") -> Figure:
    """Return the picture of up to `MOST_SERIES` series; the heading counts those left out."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    shown = fits[:MOST_SERIES]
    columns = 1 if fabric is None else 2
    with rc_context(_STYLE):
        height = 2.0 + 3.1 * len(shown)
        figure = Figure(figsize=(5.8 * columns, height))
        panels = figure.subplots(len(shown), columns, squeeze=False)
        for found, panel in zip(shown, panels, strict=True):
            draw_measured(panel[0], found)
            if fabric is not None:
                draw_forecast(panel[1], Extrapolator(fit=found, fabric=fabric), fabric)
        _arrange(figure, height)
        _head(figure, fabric, machine, len(fits) - len(shown))
        _foot(figure, shown, fabric)
    return figure


def save(figure: Figure, stream: BinaryIO, suffix: str) -> None:
    """Write a picture in the format of one of `SUFFIXES`; the same picture gives the same bytes."""
    from matplotlib import rc_context

    metadata: dict[str, Any] = {
        ".png": {"Software": None},
        ".svg": {"Date": None},
        ".pdf": {"CreationDate": None},
    }[suffix]
    with rc_context(_STYLE):
        figure.savefig(stream, format=suffix[1:], dpi=160, metadata=metadata)


def _arrange(figure: Figure, height: float) -> None:
    """Leave fixed room, in inches, for heading and footer."""
    figure.subplots_adjust(
        left=0.085 if len(figure.axes) > 1 else 0.14,
        right=0.985,
        top=1 - 1.2 / height,
        bottom=1.2 / height,
        hspace=0.4,
        wspace=0.17,
    )


def _head(figure: Figure, fabric: Fabric | None, machine: str, left_out: int) -> None:
    height = figure.get_figheight()
    first = [axes for axes in figure.axes if axes.get_subplotspec().is_first_row()]  # type: ignore[union-attr]
    more = f"   ({left_out} more series not drawn)" if left_out else ""
    figure.text(0.012, 1 - 0.25 / height, "Collectives: time against ranks" + more, fontsize=12,
                fontweight="bold", va="center")  # fmt: skip
    figure.text(0.012, 1 - 0.47 / height, machine, fontsize=8, color="#555555", va="center")
    texts = [("(a) MEASURED on this machine", MEASURED_INK)]
    if fabric is not None:
        texts.append((f"(b) CONDITIONAL forecast, on the fabric file {fabric.name}", ASSUMED_INK))
    for axes, (text, ink) in zip(first, texts, strict=True):
        box = axes.get_position()
        figure.text(
            box.x0, 1 - 0.78 / height, text, color="white", fontsize=9, fontweight="bold",
            va="center", bbox={"fc": ink, "ec": ink, "boxstyle": "round,pad=0.35"},
        )  # fmt: skip


def _foot(figure: Figure, fits: Sequence[Fit], fabric: Fabric | None) -> None:
    """Explain every mark that occurs, below the column it occurs in."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    grey = "#444444"
    labels = {label for found in fits for row in found.rows for label in row.labels[:1]}
    doubted = any(row.suspect or row.wrong > 0 for found in fits for row in found.rows)
    left: list[Any] = [
        Line2D([], [], color=grey, marker="o", ls="", label="measured, 95 % interval")
    ]
    if any(found.curve for found in fits):
        left.append(Line2D([], [], color=grey, lw=1.6, label="fit"))
        left.append(Patch(color=grey, alpha=0.22, lw=0, label="90 % interval of the fit"))
    if any(found.curve and curve_end(found) > max(found.scales) for found in fits):
        left.append(Line2D([], [], color=grey, lw=1.0, ls=(0, (1, 1.2)), label="extrapolated"))
    for label in sorted(labels):
        name = _MARK_NAMES.get(label, label)
        left.append(
            Line2D([], [], color=grey, marker=MARKERS.get(label, "o"), mfc="white", ls="", mew=1.2,
                   label=f"{name} (not fitted)")
        )  # fmt: skip
    if doubted:
        left.append(
            Line2D([], [], color=grey, marker="x", ls="", label="wrong or suspect (not fitted)")
        )
    left.append(Line2D([], [], color=grey, lw=1.1, ls=BOUND_DASHES, label="least possible"))
    height = figure.get_figheight()
    boxes = [axes.get_position() for axes in figure.axes]
    style: dict[str, Any] = {
        "fontsize": 8,
        "frameon": False,
        "borderaxespad": 0,
        "loc": "lower left",
    }
    figure.legend(handles=left, ncols=2, bbox_to_anchor=(boxes[0].x0, 0.1 / height), **style)
    if fabric is not None:
        right = [
            Line2D(
                [], [], color=grey, lw=1.6, ls=(0, (5, 2.5)), label="fabric file: median forecast"
            ),
            Patch(fc="#44444440", lw=0, label="90 %, the fabric as declared"),
            Patch(fc="#44444424", ec=grey, hatch="////", lw=0, label="90 %, its figures uncertain"),
            Line2D([], [], color=ASSUMED_INK, lw=0.7, ls=":", label="end of a tier"),
        ]
        figure.legend(handles=right, ncols=2, bbox_to_anchor=(boxes[1].x0, 0.1 / height), **style)
