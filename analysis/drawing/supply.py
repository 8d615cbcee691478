"""GPUs against supply, one line per published all-in power; what a site has, as verticals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..power import power_of
from .style import ASSUMED_INK, GREY, STYLE, count_text, head

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..fabrics import Fabric

__all__ = ["draw_supply"]

_INKS = ("#009E73", "#0072B2", "#D55E00", "#CC79A7")
_WATT_TICKS = (1e8, 1.5e8, 3e8, 5e8, 1e9, 2e9, 3e9)
_GPU_TICKS = (50_000, 100_000, 200_000, 550_000, 1_000_000, 2_000_000)


def draw_supply(fabric: Fabric) -> Figure:
    """Return the picture."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    power = power_of(fabric)
    cases = sorted(power.all_in.items(), key=lambda item: item[1].value)
    supply = np.geomspace(8e7, 3.6e9, 50)
    with rc_context(STYLE):
        figure = Figure(figsize=(9.2, 5.6))
        axes = figure.add_axes((0.085, 0.17, 0.72, 0.66))
        for (name, found), ink, dashes in zip(
            cases, _INKS, ("-", (0, (5, 2)), (0, (1.5, 1.5)), "-."), strict=False
        ):
            axes.plot(supply, supply / found.value, color=ink, lw=2, ls=dashes)
            text = f"{found.value / 1e3:.2f} kW, {name.replace('_', ' ')}"
            axes.annotate(text, (supply[-1], supply[-1] / found.value), (6, 0), color=ink,
                          textcoords="offset points", va="center", fontsize=8.5)  # fmt: skip
        _supplies(axes, fabric)
        if fabric.name.startswith("colossus-2"):
            _claim(axes)
        axes.set(xscale="log", yscale="log", xlim=(8e7, 3.6e9), ylim=(3e4, 2.6e6),
                 xlabel="supply of the site", ylabel="GPUs that it runs")  # fmt: skip
        axes.set_xticks(_WATT_TICKS, [_watts(value) for value in _WATT_TICKS])
        axes.set_yticks(_GPU_TICKS, [count_text(value) for value in _GPU_TICKS])
        axes.minorticks_off()
        axes.grid(color="#e4e4e4", lw=0.6)
        head(figure, f"GPUs against supply: {fabric.name}",
             "All-in power per GPU: everything a site draws or contracts over its GPUs, from "
             "published cases, none of them measured here")  # fmt: skip
    return figure


def _claim(axes: Axes) -> None:
    """Mark what the seed puts together."""
    axes.plot(3e8, 1e6, "X", color="black", ms=10, zorder=5)
    text = "the claim: 1M GPUs on 300 MW,\n0.30 kW per GPU: 5 to 10 times too low"
    axes.annotate(
        text, (3e8, 1e6), (0, 10), textcoords="offset points", fontsize=8.5, ha="center",
        va="bottom",
    )  # fmt: skip


def _supplies(axes: Axes, fabric: Fabric) -> None:
    """Mark what the fabric file says of the site, its name along the line."""
    for name, figure in power_of(fabric).supply.items():
        axes.axvline(figure.value, color=GREY, lw=0.9, ls=":", zorder=1)
        axes.text(figure.value * 0.985, 3.3e4, name.replace("_", " "), rotation=90, fontsize=8,
                  color=ASSUMED_INK, ha="right", va="bottom")  # fmt: skip


def _watts(value: float) -> str:
    return f"{value / 1e9:g} GW" if value >= 1e9 else f"{value / 1e6:g} MW"
