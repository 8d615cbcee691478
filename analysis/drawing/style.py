"""Style shared by the pictures: colours after Okabe and Ito, assumed parts hatched on a tint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "ASSUMED_GROUND",
    "ASSUMED_INK",
    "COLOURS",
    "GREY",
    "STYLE",
    "count_text",
    "head",
    "mark_assumed",
]

STYLE: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same picture everywhere
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "hatch.linewidth": 0.6,
    "svg.fonttype": "none",
    "svg.hashsalt": "collcast",
}
COLOURS = {
    "compute": "#BBBBBB",
    "bubble": "#777777",
    "tensor": "#0072B2",
    "expert": "#D55E00",
    "pipeline": "#CC79A7",
    "data": "#009E73",
}
"""Part of a step -> colour; greys are no communication."""

GREY = "#555555"
ASSUMED_GROUND = "#fbf1e3"
ASSUMED_INK = "#8a4b08"


def count_text(value: float) -> str:
    """Write a number of GPUs for an axis.

    >>> count_text(1e6), count_text(550_000), count_text(72)
    ('1M', '550k', '72')
    """
    if value >= 1e6:
        return f"{value / 1e6:g}M"
    return f"{value / 1e3:.0f}k" if value >= 1e4 else f"{value:,.0f}"


def head(figure: Figure, title: str, line: str) -> None:
    """Write the title, and below it what kind of statement the picture makes."""
    height = figure.get_figheight()
    figure.text(0.02, 1 - 0.27 / height, title, fontsize=12.5, fontweight="bold", va="center")
    figure.text(0.02, 1 - 0.53 / height, line, fontsize=8.5, color=ASSUMED_INK, va="center")


def mark_assumed(axes: Axes, start: float, end: float, text: str) -> None:
    """Tint where nothing was published, and say so."""
    axes.axvspan(start, end, color=ASSUMED_GROUND, zorder=0, lw=0)
    axes.text(start * 1.06, 1.015, text, transform=axes.get_xaxis_transform(), fontsize=8,
              color=ASSUMED_INK, va="bottom")  # fmt: skip
