"""Tiers of a fabric: endpoints at the bottom, one row per tier, assumed ones tinted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...bench.units import format_seconds
from ..fabrics.check import rests_on_assumption
from ..size import measure_size
from .style import ASSUMED_GROUND, ASSUMED_INK, STYLE, head

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..fabrics import Fabric, Tier

__all__ = ["draw_tiers"]

_INK = "#1f3b57"


def draw_tiers(fabric: Fabric) -> Figure:
    """Return the picture."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    rows = len(fabric.tiers)
    with rc_context(STYLE):
        height = 1.65 + 1.05 * rows
        figure = Figure(figsize=(9.6, height))
        axes = figure.add_axes((0.02, 0.42 / height, 0.96, 1 - 1.2 / height))
        axes.set(xlim=(0, 100), ylim=(-0.55, rows))
        axes.axis("off")
        switches = {tier.name: tier for tier in measure_size(fabric).tiers} if (
            fabric.network) else {}  # fmt: skip
        for place, tier in enumerate(fabric.tiers):
            found = switches.get(tier.name)
            facts = "scale-up domain" if found is None else (
                f"{found.switches:,} switches, {found.links:,} links below, "
                f"{found.domains:,} domain{'s' * (found.domains > 1)}")  # fmt: skip
            _row(axes, fabric, tier, place, facts)
        axes.text(50, -0.35, f"{fabric.endpoints.value:,.0f} endpoints", ha="center", va="center",
                  fontweight="bold", color=_INK)  # fmt: skip
        _legend(figure, height)
        head(figure, fabric.title, "Tiers from the endpoint upwards: a message uses the lowest "
             "row that holds both its ends")  # fmt: skip
    return figure


def _row(axes: Axes, fabric: Fabric, tier: Tier, place: int, facts: str) -> None:
    from matplotlib.patches import FancyBboxPatch

    figures = fabric.figures()
    unsure = [
        field
        for field in ("size", "rate", "latency", "cable", "oversubscription")
        if rests_on_assumption(f"{tier.name}.{field}", figures)
    ]
    width = 80 + 16 * (place + 1) / len(fabric.tiers)
    assumed = len(unsure) >= 3
    axes.add_patch(FancyBboxPatch(
        (50 - width / 2, place + 0.1), width, 0.72, boxstyle="round,pad=0,rounding_size=0.12",
        mutation_aspect=0.08, fc=ASSUMED_GROUND if assumed else "white",
        ec=ASSUMED_INK if assumed else _INK, ls="--" if assumed else "-", lw=1.3,
    ))  # fmt: skip
    left, right = 50 - width / 2 + 2, 50 + width / 2 - 2
    axes.text(left, place + 0.6, tier.name, fontsize=11, fontweight="bold", va="center", color=_INK)
    axes.text(left, place + 0.3, f"{tier.size.value:,.0f} endpoints per domain; {facts}",
              fontsize=8.5, va="center")  # fmt: skip
    taper = tier.oversubscription.value
    axes.text(right, place + 0.6, f"{tier.rate.value / 1e9:g} GB/s per endpoint, taper {taper:g}:1,"
              f" {format_seconds(tier.latency.value)} + {tier.cable.value:g} m", fontsize=8.5,
              va="center", ha="right")  # fmt: skip
    words = {"oversubscription": "taper"}
    text = ", ".join(words.get(field, field) for field in unsure)
    if text:
        axes.text(right, place + 0.3, f"assumed: {text}", fontsize=8, va="center", ha="right",
                  color=ASSUMED_INK, style="italic")  # fmt: skip


def _legend(figure: Figure, height: float) -> None:
    from matplotlib.patches import Patch

    marks = [
        Patch(fc="white", ec=_INK, lw=1.3, label="mostly from sources"),
        Patch(fc=ASSUMED_GROUND, ec=ASSUMED_INK, ls="--", lw=1.3,
              label="three or more of its five figures assumed, or resting on an assumption"),
    ]  # fmt: skip
    figure.legend(handles=marks, loc="lower left", bbox_to_anchor=(0.02, 0.05 / height), ncols=2,
                  frameon=False, fontsize=8.5)  # fmt: skip
