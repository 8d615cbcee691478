"""Heat map of all pairs of ranks: one square per pair, what is slow in a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...bench.units import format_bytes
from .style import GREY, STYLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..pair import Matrix, SlowPair

__all__ = ["draw_pairs"]

_INK = "#D55E00"  # Okabe and Ito's vermilion: apart from viridis also for the colour-blind
_MOST_WRITTEN = 16  # ranks up to which a number fits into its square
_LARGE_BYTES = 1 << 16  # from here on a rate says more than a time


def draw_pairs(
    matrices: Sequence[Matrix], slow: Sequence[SlowPair], machine: str, otherwise: str
) -> Figure:
    """Return the picture of the smallest and, if it is large, the largest size.

    Parameters
    ----------
    machine : line below the title
    otherwise : what to say where nothing is slow
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    ends = [matrices[0], matrices[-1]]
    shown = ends if ends[1].message_bytes >= _LARGE_BYTES and len(matrices) > 1 else ends[:1]
    with rc_context(STYLE):
        figure = Figure(figsize=(5.6 * len(shown) + 0.6, 6.3))
        panels = figure.subplots(1, len(shown), squeeze=False)[0]
        for axes, matrix in zip(panels, shown, strict=True):
            _draw(figure, axes, matrix, slow)
        figure.subplots_adjust(left=0.1, right=0.93, top=0.82, bottom=0.13, wspace=0.35)
        figure.text(0.02, 0.955, "Messages between every two ranks", fontsize=12.5,
                    fontweight="bold")  # fmt: skip
        figure.text(0.02, 0.925, machine, fontsize=8, color=GREY)
        verdict = _verdict(slow) if slow else otherwise
        figure.text(0.02, 0.03, verdict, fontsize=9, color=_INK if slow else GREY)
    return figure


def _draw(figure: Figure, axes: Axes, matrix: Matrix, slow: Sequence[SlowPair]) -> None:
    from matplotlib.patches import Rectangle

    rate = matrix.message_bytes >= _LARGE_BYTES
    values = matrix.message_bytes / matrix.time_s * 1e-9 if rate else matrix.time_s * 1e6
    unit = "GB/s" if rate else "us"
    image = axes.imshow(values, cmap="viridis" if rate else "viridis_r", origin="upper")
    figure.colorbar(image, ax=axes, label=unit, shrink=0.8)
    ranks = len(values)
    step = max(1, -(-ranks // 16))
    axes.set(xlabel="rank", ylabel="rank", xticks=range(0, ranks, step),
             yticks=range(0, ranks, step))  # fmt: skip
    axes.set_title(
        f"{matrix.collective} {matrix.transport}, {format_bytes(matrix.message_bytes)}B: "
        + ("rate" if rate else "time of a message"),
        loc="left", fontsize=9.5, fontweight="bold",
    )  # fmt: skip
    if ranks <= _MOST_WRITTEN:
        middle = np.nanmean([np.nanmin(values), np.nanmax(values)])
        for row, column in zip(*np.nonzero(np.isfinite(values)), strict=True):
            value = values[row, column]
            light = (value > middle) != rate
            axes.text(column, row, _written(value), ha="center", va="center", fontsize=7.5,
                      color="white" if light else "black")  # fmt: skip
    for found in slow:
        for x, y, width, height in _frames(found, ranks):
            axes.add_patch(Rectangle((x - 0.5, y - 0.5), width, height, fill=False, ec=_INK, lw=2))


def _written(value: float) -> str:
    """Three digits, or all before the point: no power of ten fits a square."""
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def _frames(found: SlowPair, ranks: int) -> list[tuple[int, int, int, int]]:
    """Column, row, width and height of what to frame: squares of a pair, or row and column."""
    if len(found.ranks) == 1:
        (rank,) = found.ranks
        return [(0, rank, ranks, 1), (rank, 0, 1, ranks)]
    first, second = found.ranks
    return [(first, second, 1, 1), (second, first, 1, 1)]


def _verdict(slow: Sequence[SlowPair]) -> str:
    names = [
        ("rank " if len(found.ranks) == 1 else "pair ")
        + f"{'-'.join(map(str, found.ranks))} ({found.ratio:.2g}x)"
        for found in slow[:6]
    ]
    return "slow: " + ", ".join(names) + (", ..." if len(slow) > 6 else "")
