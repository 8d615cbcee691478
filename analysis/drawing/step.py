"""Step time split by dimension against the size of the job, and what failures leave of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..workload import DIMENSIONS
from .style import ASSUMED_GROUND, COLOURS, STYLE, count_text, head

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..scenario import Scenario
    from ..scenario.report import StepRow

__all__ = ["draw_steps"]


def draw_steps(scenario: Scenario) -> Figure:
    """Return the picture: one panel per workload, one bar per size."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(row.workload for row in scenario.steps))
    with rc_context(STYLE):
        figure = Figure(figsize=(3.5 * len(names) + 0.6, 5.8))
        panels = figure.subplots(1, len(names), squeeze=False)[0]
        figure.subplots_adjust(left=0.07, right=0.985, top=0.80, bottom=0.245, wspace=0.24)
        for axes, name in zip(panels, names, strict=True):
            _panel(axes, name, [row for row in scenario.steps if row.workload == name])
        panels[0].set_ylabel("seconds per step")
        _legend(figure)
        most = max(row.gpus for row in scenario.steps)
        head(figure, f"A training step on {scenario.fabric}, by dimension",
             f"CONDITIONAL on the fabric file; {most:,} GPUs are far beyond any published "
             "measurement; the global batch grows with the job")  # fmt: skip
    return figure


def _panel(axes: Axes, name: str, rows: list[StepRow]) -> None:
    axes.set_facecolor(ASSUMED_GROUND)
    places = range(len(rows))
    bottom = [0.0] * len(rows)
    for part in DIMENSIONS:
        values = [row.parts_s[part] for row in rows]
        hatch = "" if part in {"compute", "bubble"} else "////"
        axes.bar(places, values, 0.62, bottom, color=COLOURS[part], hatch=hatch,
                 edgecolor="white", lw=0.5)  # fmt: skip
        bottom = [low + value for low, value in zip(bottom, values, strict=True)]
    for place, row in enumerate(rows):
        middle, low, high = row.step_s
        axes.errorbar(place, middle, [[middle - low], [high - middle]], color="black", capsize=4,
                      lw=1.2)  # fmt: skip
        share, least, most = (100 * value for value in row.exposed)
        axes.text(place, high, f"exposed\n{share:.0f} %\n({least:.0f} to {most:.0f})",
                  ha="center", va="bottom", fontsize=8, linespacing=1.15)  # fmt: skip
    axes.set_title(name, loc="left", fontsize=10, fontweight="bold")
    axes.set_xticks(list(places), [_tick(row) for row in rows])
    axes.set_xlim(-0.6, len(rows) - 0.4)
    axes.set_ylim(0, max(row.step_s[2] for row in rows) * 1.28)


def _tick(row: StepRow) -> str:
    worst, best = (f"{100 * share:.0f}" for share in row.shrink_goodput)
    return f"{count_text(row.gpus)}\n{worst} to {best} %"


def _legend(figure: Figure) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    marks: list[Patch | Line2D] = [
        Patch(fc=COLOURS[part], ec="white", hatch="" if part in {"compute", "bubble"} else "////",
              label=part if part in {"compute", "bubble"} else f"{part}, not hidden")
        for part in DIMENSIONS
    ]  # fmt: skip
    marks.append(Line2D([], [], color="black", marker="|", label="90 % interval of the step"))
    figure.legend(handles=marks, loc="lower left", bbox_to_anchor=(0.06, 0.035), ncols=4,
                  frameon=False, fontsize=8.5)  # fmt: skip
    figure.text(
        0.065,
        0.015,
        "below the sizes: goodput where other replicas go on after a failure, and its range over "
        "the published rates of failures",
        fontsize=8.5,
    )
