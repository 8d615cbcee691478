"""Panel of one collective's times on a fabric file, on a tinted ground: nothing was measured.

The light, hatched band holds what is not known about the fabric; the dark one takes it as declared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..named import models_for
from .panel import colour_of, doublings, draw_axes, draw_bound, name_lines, words
from .style import ASSUMED_GROUND, ASSUMED_INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..extrapolate import Extrapolator
    from ..fabrics import Fabric

__all__ = ["FORECAST_TO_RANKS", "draw_forecast", "forecast_sizes"]

FORECAST_TO_RANKS = 1_000_000
"""Where the forecast ends on the axis, fabric permitting."""

_PARTED = frozenset({"all_to_all", "all_gather", "reduce_scatter", "gather", "scatter"})
_SIZES = (8, 1 << 20, 1 << 30)
_PARTED_SIZES = (1 << 22, 1 << 26, 1 << 30)
"""The least size that leaves one 4-byte element for each of a million peers, and two above."""


def forecast_sizes(collective: str) -> tuple[int, ...]:
    """Return the sizes in bytes that are forecast to a million ranks."""
    return _PARTED_SIZES if collective in _PARTED else _SIZES


def draw_forecast(axes: Axes, extrapolator: Extrapolator, fabric: Fabric) -> None:
    """Draw one collective's times on a fabric."""
    key = extrapolator.fit.key
    known = bool(models_for(key))
    draw_axes(axes, f"{words(key.collective)}  on {fabric.name}")
    axes.set_facecolor(ASSUMED_GROUND)
    end = int(min(FORECAST_TO_RANKS, fabric.endpoints.value))
    ends = []
    grid = doublings(2, end)
    sizes = forecast_sizes(key.collective)
    outcomes = [extrapolator.fabric_at(ranks, sizes) for ranks in grid] if known else []
    for j, n in enumerate(sizes if known else ()):
        line = [found[j] for found in outcomes]
        middle = [found.times_s[0] for found in line]
        colour = colour_of(n)
        axes.plot(grid, middle, color=colour, lw=1.6, ls=(0, (5, 2.5)))
        low, high = zip(*(found.times_s[3:] for found in line), strict=True)
        axes.fill_between(grid, low, high, color=colour, alpha=0.14, lw=0, hatch="////", ec=colour)
        low, high = zip(*(found.given_s[3:] for found in line if found.given_s), strict=True)
        axes.fill_between(grid, low, high, color=colour, alpha=0.25, lw=0)
        draw_bound(axes, grid, [found.bound_s for found in line], n)
        ends.append((n, grid[-1], middle[-1]))
    axes.text(
        0.02, 0.97, "network: from the fabric file, not measured", transform=axes.transAxes,
        ha="left", va="top", color=ASSUMED_INK, fontsize=8.5, fontstyle="italic",
    )  # fmt: skip
    if not known:
        axes.text(0.5, 0.5, extrapolator.fit.reason, transform=axes.transAxes, ha="center")
    axes.set_xscale("log")
    axes.set_xlim(1.5, end * 12)
    axes.set_xticks([10**k for k in range(1, 10) if 10**k <= end])
    axes.minorticks_off()
    low, high = axes.get_ylim()
    axes.set_ylim(low / (high / low) ** 0.08, high * (high / low) ** 0.1)
    name_lines(axes, ends)
    inner = 1
    for tier in fabric.tiers:
        outer = min(round(tier.size.value), end)
        if inner > 1:
            axes.axvline(inner, color=ASSUMED_INK, lw=0.7, ls=":", zorder=0)
        axes.text(
            (max(inner, 1.5) * outer) ** 0.5, 0.02, tier.name, ha="center", va="bottom",
            color=ASSUMED_INK, fontsize=7.5, transform=axes.get_xaxis_transform(),
        )  # fmt: skip
        inner = outer
