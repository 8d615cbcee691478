"""Error against factor: how far forecasts lay from what was measured, the further one forecasts.

One panel per collective. Across, ranks over the largest that was fitted; up, predicted over true.
Every machine is a dot at each factor and series, the median over its sizes; thin marks are single
cells, crosses those that their 90 % interval missed. Nothing is left out: what lies beyond the
panel is drawn on its edge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..validate import ENGINE
from .panel import words
from .style import GREY, STYLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..validate import Held, Validation

__all__ = ["draw_errors"]

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKS = "osD^vP*X"
_MISS = "#B00020"
_FURTHEST = 8.0  # predicted over true, or its inverse, at the edge of a panel
_TICKS = (1 / 8, 1 / 4, 1 / 2, 1 / 1.25, 1.0, 1.25, 2.0, 4.0, 8.0)
_LEGEND_COLUMNS = 3
_SPREAD = 0.06  # doublings by which series are set apart


def draw_errors(found: Sequence[Validation]) -> Figure:
    """Return the picture of one or several validations, such as two holdouts."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    held = [part for validation in found for part in validation.held]
    names = list(dict.fromkeys(part.key.collective for part in held)) or [""]
    systems = list(dict.fromkeys(part.key.system for part in held))
    with rc_context(STYLE):
        figure = Figure(figsize=(1.2 + 5.2 * len(names), 6.6))
        panels = figure.subplots(1, len(names), squeeze=False, sharey=True)[0]
        for axes, name in zip(panels, names, strict=True):
            own = [part for part in held if part.key.collective == name]
            _draw(axes, own, held, systems)
            axes.set_title(words(name), loc="left", fontsize=9.5, fontweight="bold")
        panels[0].set_ylabel("predicted / measured")
        rows = -(-(len(held) + 2) // _LEGEND_COLUMNS)
        figure.subplots_adjust(
            left=0.85 / figure.get_figwidth(),
            right=0.97,
            top=0.85,
            bottom=0.12 + 0.026 * rows,
            wspace=0.06,
        )
        figure.text(0.02, 0.955, "Forecasts of scales held out", fontsize=12.5, fontweight="bold")
        figure.text(0.02, 0.92, _line(found), fontsize=8.5, color=GREY)
        _legend(figure, panels)
    return figure


def _draw(axes: Axes, own: Sequence[Held], held: Sequence[Held], systems: Sequence[str]) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

    axes.axhspan(1 / 1.25, 1.25, color="#00000010", lw=0)
    axes.axhline(1.0, color=GREY, lw=0.8)
    for number, part in enumerate(own):
        colour = _COLOURS[held.index(part) % len(_COLOURS)]
        mark = _MARKS[systems.index(part.key.system) % len(_MARKS)]
        apart = 2 ** (_SPREAD * (number - (len(own) - 1) / 2))
        _series(axes, part, colour, mark, apart)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    axes.set_ylim(1 / _FURTHEST / 1.1, _FURTHEST * 1.1)
    axes.yaxis.set_major_locator(FixedLocator(list(_TICKS)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"x{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("ranks / largest fitted")
    axes.grid(visible=True, which="major", color="#00000018", lw=0.6)


def _series(axes: Axes, part: Held, colour: str, mark: str, apart: float) -> None:
    """Draw one series: cells, those missed, and its median at every factor."""
    times = part.times_s[ENGINE]
    known = np.isfinite(times).all(axis=1)
    if not known.any():
        return
    ratio = times[known, 0] / part.true_s[known]
    shown = np.clip(ratio, 1 / _FURTHEST, _FURTHEST)
    factor = part.ranks[known] / max(part.scales)
    low, high = times[known, 3], times[known, 4]
    missed = (part.true_s[known] < low) | (part.true_s[known] > high)
    x = factor * apart
    fine: dict[str, Any] = {"ls": "", "zorder": 2, "alpha": 0.45}
    axes.plot(x[~missed], shown[~missed], marker="_", ms=5, color=colour, **fine)
    axes.plot(x[missed], shown[missed], marker="x", ms=4.5, color=_MISS, ls="", zorder=4)
    at = np.unique(factor)
    middle = [float(np.median(shown[factor == one])) for one in at]
    label = " ".join((part.cluster, part.key.transport, part.key.algorithm)).strip()
    axes.plot(at * apart, middle, marker=mark, ms=7, color=colour, mec="white", lw=0.8,
              alpha=0.95, zorder=3, label=label)  # fmt: skip


def _legend(figure: Figure, panels: Sequence[Axes]) -> None:
    from matplotlib.lines import Line2D

    found = [line for axes in panels for line in axes.get_lines()
             if not str(line.get_label()).startswith("_")]  # fmt: skip
    marks = [
        Line2D([], [], marker="_", ls="", color=GREY, label="one cell"),
        Line2D([], [], marker="x", ls="", color=_MISS, label="outside its 90 % interval"),
    ]
    figure.legend(handles=[*found, *marks], loc="lower left", bbox_to_anchor=(0.02, 0.01),
                  ncols=_LEGEND_COLUMNS, fontsize=7.5, frameon=False)  # fmt: skip


def _line(found: Sequence[Validation]) -> str:
    parts = []
    for validation in found:
        own = validation.score()
        parts.append(
            f"holdout {validation.holdout}: {own.series} series, {own.cells} cells, median error "
            f"{100 * own.median_error:.0f} %, {100 * own.coverage_90:.0f} % in their 90 % interval"
            if own.cells
            else f"holdout {validation.holdout}: no series has enough scales"
        )
    return "; ".join(parts)
