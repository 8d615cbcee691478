"""Panel: what the panels of measured and of assumed times share: axes, colours, names of lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...bench.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

__all__ = [
    "BOUND",
    "BOUND_DASHES",
    "MEASURED_INK",
    "colour_of",
    "doublings",
    "draw_axes",
    "draw_bound",
    "name_lines",
    "words",
]

MEASURED_INK = "#1f3b57"
BOUND_DASHES = (0, (1, 3))
"""Of the line below which physics allows nothing."""

BOUND = "_least possible"
"""Label of that line; those with an underscore are in no legend."""

_LABEL_GAP = 0.062  # of the axes' height: what a line of text needs


def colour_of(message_bytes: int) -> Any:
    """Return a size's colour: viridis without its light end, over log size from 8 B to 1 GiB."""
    from matplotlib import colormaps

    share = (np.log2(max(message_bytes, 1)) - 3) / 27
    return colormaps["viridis"](0.78 * float(np.clip(share, 0, 1)))


def doublings(first: int, last: int) -> list[int]:
    """Return first, 2 first, 4 first, ... and last.

    Between powers of two some models fold ranks; the saw teeth would look like a finding.
    """
    found = [first]
    while found[-1] * 2 < last:
        found.append(found[-1] * 2)
    return [*found, last] if last > first else found


def draw_axes(axes: Axes, title: str) -> None:
    """Name the panel and its axes."""
    from matplotlib.ticker import EngFormatter

    axes.set_title(title, loc="left", fontsize=9.5, fontweight="bold")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(EngFormatter(unit="s", sep=" "))
    axes.set_ylabel("time of one call (s)")
    axes.set_xlabel("ranks (processes)")
    axes.grid(visible=True, which="major", color="#00000018", lw=0.6)


def draw_bound(axes: Axes, ranks: Sequence[int], least_s: Sequence[float], n: int) -> None:
    """Draw the least time that physics allows."""
    style: dict[str, Any] = {"lw": 1.1, "ls": BOUND_DASHES, "zorder": 1, "label": BOUND}
    axes.plot(ranks, least_s, color=colour_of(n), **style)


def name_lines(axes: Axes, ends: Sequence[tuple[int, int, float]]) -> None:
    """Write each size beside its last point, moved up where it would cover the one below."""
    low, high = np.log(axes.get_ylim())
    lowest = -np.inf
    for n, ranks, time_s in sorted(ends, key=lambda end: end[2]):
        lowest = max(lowest + _LABEL_GAP, (np.log(time_s) - low) / (high - low))
        height = float(np.exp(low + lowest * (high - low)))
        axes.annotate(
            _bytes(n), (ranks, height), xytext=(8, 0), textcoords="offset points",
            color=colour_of(n), va="center", fontsize=8.5, fontweight="bold",
        )  # fmt: skip


def _bytes(n: int) -> str:
    text = format_bytes(n)
    return f"{text} B" if text.isdigit() else f"{text[:-1]} {text[-1]}iB"


def words(name: str) -> str:
    """Write a name as a reader says it."""
    return name.replace("_", "-")
