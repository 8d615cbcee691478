"""GPUs against supply, one line per published all-in power; what a site has, as verticals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..fabrics import load_facts
from ..power import power_of
from .style import ASSUMED_INK, GREY, STYLE, count_text, head

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..fabrics import Fabric

__all__ = ["draw_supply"]

_INKS = ("#009E73", "#0072B2", "#D55E00", "#CC79A7")
_DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1.5, 1.5)), "-.")
_LEAST_W, _MOST_W, _MOST_GPUS = 8e7, 3.6e9, 3.2e6
_WATT_TICKS = (1e8, 1.5e8, 3e8, 5e8, 1e9, 2e9, 3e9)
_GPU_TICKS = (50_000, 100_000, 200_000, 550_000, 1_000_000, 2_000_000)


def draw_supply(fabric: Fabric) -> Figure:
    """Return the picture."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    cases = sorted(power_of(fabric).all_in.items(), key=lambda item: item[1].value)
    supply = np.geomspace(_LEAST_W, _MOST_W, 50)
    with rc_context(STYLE):
        figure = Figure(figsize=(9.2, 5.6))
        axes = figure.add_axes((0.085, 0.12, 0.72, 0.71))
        for (_, found), ink, dashes in zip(cases, _INKS, _DASHES, strict=False):
            axes.plot(supply, supply / found.value, color=ink, lw=2, ls=dashes)
        _name_lines(axes, [(name, found.value) for name, found in cases])
        _supplies(axes, fabric)
        if fabric.name.startswith("colossus-2"):
            _claim(axes, [found.value for _, found in cases])
        axes.set(xscale="log", yscale="log", xlim=(_LEAST_W, _MOST_W), ylim=(3e4, _MOST_GPUS),
                 xlabel="supply of the site", ylabel="GPUs that it runs")  # fmt: skip
        axes.set_xticks(_WATT_TICKS, [_watts(value) for value in _WATT_TICKS])
        axes.set_yticks(_GPU_TICKS, [count_text(value) for value in _GPU_TICKS])
        axes.minorticks_off()
        axes.grid(color="#e4e4e4", lw=0.6)
        head(figure, f"GPUs against supply: {fabric.name}",
             "All-in power per GPU: everything a site draws or contracts over its GPUs, from "
             "published cases, none of them measured here")  # fmt: skip
    return figure


def _name_lines(axes: Axes, cases: list[tuple[str, float]]) -> None:
    """Name each line at its end, far enough below the name above it to be read."""
    least = 0.055  # of the axes' height: what a line of text needs
    above = 2.0
    for (name, watts), ink in zip(cases, _INKS, strict=False):
        gpus = _MOST_W / watts
        place = float(np.log(gpus / 3e4) / np.log(_MOST_GPUS / 3e4))
        place = above = min(place, above - least)
        axes.text(1.01, place, f"{watts / 1e3:.2f} kW, {name.replace('_', ' ')}", color=ink,
                  fontsize=8.5, va="center", transform=axes.transAxes)  # fmt: skip


def _claim(axes: Axes, cases: list[float]) -> None:
    """Mark what the seed puts together: GPUs of the goal, power of the first site."""
    seed = load_facts("seed")
    gpus, supply = seed["seed_gpus"].value, seed["seed_power"].value
    each = supply / gpus
    axes.plot(supply, gpus, "X", color="black", ms=10, zorder=5)
    text = (
        f"the claim: {count_text(gpus)} GPUs on {_watts(supply)},\n{each / 1e3:.2f} kW per GPU: "
        f"{min(cases) / each:.0f} to {max(cases) / each:.0f} times too low"
    )
    axes.annotate(
        text, (supply, gpus), (0, 10), textcoords="offset points", fontsize=8.5, ha="center",
        va="bottom", bbox={"fc": "white", "ec": "none", "alpha": 0.85, "pad": 1},
    )  # fmt: skip


def _supplies(axes: Axes, fabric: Fabric) -> None:
    """Mark what the fabric file says of the site, its name along the line."""
    names: dict[float, list[str]] = {}
    for name, figure in power_of(fabric).supply.items():
        names.setdefault(figure.value, []).append(name.replace("_", " "))
    for watts, found in names.items():
        axes.axvline(watts, color=GREY, lw=0.9, ls=":", zorder=1)
        axes.text(watts * 0.985, 3.3e4, ", ".join(found), rotation=90, fontsize=8,
                  color=ASSUMED_INK, ha="right", va="bottom")  # fmt: skip


def _watts(value: float) -> str:
    return f"{value / 1e9:g} GW" if value >= 1e9 else f"{value / 1e6:g} MW"
