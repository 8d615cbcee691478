"""Panel of one series' measured points, its fit, and how that goes on in the measured tier."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..bound import bound_of
from ..extrapolate import Extrapolator, supported_ranks
from ..fit import LEAST_SCALES_BEYOND
from ..named import models_for
from .panel import MEASURED_INK, colour_of, doublings, draw_axes, draw_bound, name_lines, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from ..dataset import Dataset
    from ..fit import Fit

__all__ = ["MARKERS", "curve_end", "draw_measured"]

MARKERS = {"copy": "s", "oversubscribed": "^", "ranks_per_gpu": "D"}
"""Label of a row -> its mark."""

_MEASURED_SIZES = 4  # curves per panel that remain apart
_AROUND_ONE = 3.0
_ROOM_BELOW = 10.0  # a bound further below than that is beyond the panel's foot


def draw_measured(axes: Axes, found: Fit) -> None:
    """Draw one series' points and its fit."""
    draw_axes(
        axes, f"{words(found.key.collective)}  {found.key.transport}, {found.key.memory} memory"
    )
    sizes = _chosen_sizes(found)
    ends = [_points(axes, found.rows, n) for n in sizes]
    times_s = {row.median_s for row in found.rows if row.median_s > 0}
    if len(times_s) == 1:
        (alone,) = times_s  # from which no limits follow
        axes.autoscale(enable=False, axis="y")
        axes.set_ylim(alone / _AROUND_ONE, alone * _AROUND_ONE)
    if found.curve is None:
        low, high = axes.get_ylim()
        axes.set_ylim(low, high * (high / low) ** 0.35)  # room for the text
        axes.text(
            0.5, 0.95, _why_no_curve(found), transform=axes.transAxes, ha="center", va="top",
            color=MEASURED_INK, fontsize=8.5, bbox={"fc": "white", "ec": MEASURED_INK, "lw": 0.6},
        )  # fmt: skip
    else:
        _curves(axes, found, sizes)
    ranks = sorted({row.ranks for row in found.rows})
    _bounds(axes, found, sizes, ranks)
    axes.set_xscale("log", base=2)
    axes.set_xticks(ranks, [f"{count:,}" for count in ranks])
    axes.minorticks_off()
    last = max(ranks[-1], curve_end(found))
    axes.set_xlim(ranks[0] / 1.4, last * (last / ranks[0] * 2) ** 0.22)
    name_lines(axes, ends)


def _chosen_sizes(found: Fit) -> list[int]:
    """Return sizes spread over those measured, preferring ones measured at most scales."""
    scales: dict[int, set[int]] = {}
    for row in found.rows:
        if row.median_s <= 0:
            continue
        scales.setdefault(row.message_bytes, set()).add(row.ranks)
    most = max(map(len, scales.values()))
    full = sorted(n for n, ranks in scales.items() if len(ranks) == most)
    picked = np.linspace(0, len(full) - 1, min(_MEASURED_SIZES, len(full)))
    return [full[round(float(index))] for index in picked]


def _points(axes: Axes, rows: Dataset, n: int) -> tuple[int, int, float]:
    """Draw the rows of one size; return the size, and ranks and time of the last."""
    here = [row for row in rows if row.message_bytes == n and row.median_s > 0]
    colour = colour_of(n)
    for row in here:
        label = row.labels[0] if row.labels else ""
        doubted = bool(row.suspect) or row.wrong > 0
        low = row.median_s - row.low_s if row.low_s > 0 else 0.0
        high = row.high_s - row.median_s if row.high_s > 0 else 0.0
        axes.errorbar(
            [row.ranks], [row.median_s], yerr=[[low], [high]], color=colour, capsize=2.5, lw=0.9,
            ms=5.5, marker="x" if doubted else MARKERS.get(label, "o"), zorder=3,
            mfc="white" if label else colour, mew=1.2,
        )  # fmt: skip
    last = max(here, key=lambda row: row.ranks)
    return n, last.ranks, last.median_s


def _curves(axes: Axes, found: Fit, sizes: Sequence[int]) -> None:
    extrapolator = Extrapolator(fit=found)
    last = max(found.scales)
    grid = doublings(min(found.scales), curve_end(found))
    inside = [count for count in grid if count <= last]
    beyond = [last, *(count for count in grid if count > last)]
    drawn = {count: extrapolator.curve_s(count, sizes) for count in {*inside, *beyond}}
    for j, n in enumerate(sizes):
        for ranks, style, alpha in (
            (inside, {"lw": 1.6}, 0.22),
            (beyond, {"lw": 1.0, "ls": (0, (1, 1.2))}, 0.11),
        ):
            if len(ranks) < 2:
                continue
            middle, _, _, low, high = zip(*(drawn[count][j] for count in ranks), strict=True)
            axes.plot(ranks, middle, color=colour_of(n), **style)
            axes.fill_between(ranks, low, high, color=colour_of(n), alpha=alpha, lw=0)


def _bounds(axes: Axes, found: Fit, sizes: Sequence[int], ranks: Sequence[int]) -> None:
    """Draw what physics allows at least, as far down as leaves the points their room."""
    low, high = axes.get_ylim()
    ends = [max(2, ranks[0]), max(2, curve_end(found) or ranks[-1])]
    lowest = low
    for n in sizes:
        least = [float(bound_of(found.key.collective, p, [n]).time_s[0]) for p in ends]
        draw_bound(axes, ends, least, n)
        lowest = min(lowest, *least)
    axes.set_ylim(max(lowest / 1.3, low / _ROOM_BELOW), high)


def curve_end(found: Fit) -> int:
    """Return the most ranks to draw the fit at: within the tier, at most two doublings on."""
    if found.curve is None:
        return 0
    largest = max(found.scales)
    if len(found.scales) < LEAST_SCALES_BEYOND:
        return largest
    return int(min(supported_ranks(found), 4 * largest))


def _why_no_curve(found: Fit) -> str:
    if not models_for(found.key):
        return found.reason
    usable = ", ".join(map(str, found.scales)) or "none"
    return f"no curve: fewer than 3 numbers of ranks remain\n(usable: {usable})"
