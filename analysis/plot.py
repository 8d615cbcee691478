"""Plot: time against ranks, what was measured beside what is assumed, never mixed.

One row of panels per series. Left, on white: measured points, and the fit with its 90 % band
inside the measured tier. Right, on a tinted ground and dashed: the forecast on a fabric file.
Colour is message size, dark for small, in both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..bench.units import format_bytes
from .extrapolate import Extrapolator, supported_ranks
from .fit import LEAST_SCALES_BEYOND
from .models import models_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import BinaryIO

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .dataset import Dataset
    from .fabrics import Fabric
    from .fit import Fit

__all__ = ["FORECAST_TO_RANKS", "MOST_SERIES", "SUFFIXES", "draw", "save"]

SUFFIXES = (".png", ".svg", ".pdf")
"""Formats by the end of the file's name."""

MOST_SERIES = 6
"""Series that one picture holds; more are unreadable."""

FORECAST_TO_RANKS = 1_000_000
"""Where the forecast ends on the axis, fabric permitting."""

_FORECAST_SIZES = {
    "all_reduce": (8, 1 << 20, 1 << 30),
    # The least size that leaves one 4-byte element for each of a million peers, and two above.
    "all_to_all": (1 << 22, 1 << 26, 1 << 30),
}
_MEASURED_SIZES = 4  # curves per panel that remain apart
_MARKERS = {"copy": "s", "oversubscribed": "^", "ranks_per_gpu": "D"}
_MARK_NAMES = {"copy": "copy: one rank", "ranks_per_gpu": "several ranks on one GPU"}
_LABEL_GAP = 0.062  # of the axes' height: what a line of text needs
_FORECAST_GROUND = "#fbf1e3"
_FORECAST_INK = "#8a4b08"
_MEASURED_INK = "#1f3b57"
_STYLE: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same picture everywhere
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.labelsize": 9.0,
    "hatch.linewidth": 0.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "collcast",
    "path.simplify": False,
}


@dataclass(frozen=True, slots=True)
class _Line:
    ranks: list[int]
    middle_s: list[float]
    low_s: list[float]
    high_s: list[float]


def draw(fits: Sequence[Fit], fabric: Fabric | None, machine: str = "") -> Figure:
    """Return the picture of up to `MOST_SERIES` series; the heading counts those left out."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    shown = fits[:MOST_SERIES]
    columns = 1 if fabric is None else 2
    with rc_context(_STYLE):
        height = 2.0 + 3.1 * len(shown)
        figure = Figure(figsize=(5.8 * columns, height))
        panels = figure.subplots(len(shown), columns, squeeze=False)
        for found, panel in zip(shown, panels, strict=True):
            _draw_measured(panel[0], found)
            if fabric is not None:
                _draw_forecast(panel[1], Extrapolator(fit=found, fabric=fabric), fabric)
        _arrange(figure, height)
        _head(figure, fabric, machine, len(fits) - len(shown))
        _foot(figure, shown, fabric)
    return figure


def save(figure: Figure, stream: BinaryIO, suffix: str) -> None:
    """Write a picture in the format of one of `SUFFIXES`; the same picture gives the same bytes."""
    from matplotlib import rc_context

    metadata: dict[str, Any] = {
        ".png": {"Software": None},
        ".svg": {"Date": None},
        ".pdf": {"CreationDate": None},
    }[suffix]
    with rc_context(_STYLE):
        figure.savefig(stream, format=suffix[1:], dpi=160, metadata=metadata)


def _colour(message_bytes: int) -> Any:
    """Return a size's colour: viridis without its light end, over log size from 8 B to 1 GiB."""
    from matplotlib import colormaps

    share = (np.log2(max(message_bytes, 1)) - 3) / 27
    return colormaps["viridis"](0.78 * float(np.clip(share, 0, 1)))


# ------------------------------------------------------------------------------- measured


def _draw_measured(axes: Axes, found: Fit) -> None:
    _axes(axes, f"{_words(found.key.collective)}  {found.key.transport}, {found.key.memory} memory")
    sizes = _chosen_sizes(found)
    ends = [_points(axes, found.rows, n) for n in sizes]
    if found.curve is None:
        low, high = axes.get_ylim()
        axes.set_ylim(low, high * (high / low) ** 0.35)  # room for the text
        axes.text(
            0.5, 0.95, _why_no_curve(found), transform=axes.transAxes, ha="center", va="top",
            color=_MEASURED_INK, fontsize=8.5, bbox={"fc": "white", "ec": _MEASURED_INK, "lw": 0.6},
        )  # fmt: skip
    else:
        _curves(axes, found, sizes)
    ranks = sorted({row.ranks for row in found.rows})
    axes.set_xscale("log", base=2)
    axes.set_xticks(ranks, [f"{count:,}" for count in ranks])
    axes.minorticks_off()
    last = max(ranks[-1], _curve_end(found))
    axes.set_xlim(ranks[0] / 1.4, last * (last / ranks[0] * 2) ** 0.22)
    _name_lines(axes, ends)


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
    colour = _colour(n)
    for row in here:
        label = row.labels[0] if row.labels else ""
        doubted = bool(row.suspect) or row.wrong > 0
        low = row.median_s - row.low_s if row.low_s > 0 else 0.0
        high = row.high_s - row.median_s if row.high_s > 0 else 0.0
        axes.errorbar(
            [row.ranks], [row.median_s], yerr=[[low], [high]], color=colour, capsize=2.5, lw=0.9,
            ms=5.5, marker="x" if doubted else _MARKERS.get(label, "o"), zorder=3,
            mfc="white" if label else colour, mew=1.2,
        )  # fmt: skip
    last = max(here, key=lambda row: row.ranks)
    return n, last.ranks, last.median_s


def _curves(axes: Axes, found: Fit, sizes: Sequence[int]) -> None:
    extrapolator = Extrapolator(fit=found)
    first, last, end = min(found.scales), max(found.scales), _curve_end(found)
    grid = [count for count in _doublings(first, end) if count <= last]
    beyond = [last, *(count for count in _doublings(first, end) if count > last)]
    for n in sizes:
        inside = _line(extrapolator.curve_s, grid, n)
        axes.plot(inside.ranks, inside.middle_s, color=_colour(n), lw=1.6)
        axes.fill_between(
            inside.ranks, inside.low_s, inside.high_s, color=_colour(n), alpha=0.22, lw=0
        )
        if len(beyond) > 1:
            outside = _line(extrapolator.curve_s, beyond, n)
            axes.plot(outside.ranks, outside.middle_s, color=_colour(n), lw=1.0, ls=(0, (1, 1.2)))
            axes.fill_between(
                outside.ranks, outside.low_s, outside.high_s, color=_colour(n), alpha=0.11, lw=0
            )


def _curve_end(found: Fit) -> int:
    """Return the most ranks to draw the fit at: within the tier, at most two doublings on."""
    if found.curve is None:
        return 0
    largest = max(found.scales)
    if len(found.scales) < LEAST_SCALES_BEYOND:
        return largest
    return int(min(supported_ranks(found), 4 * largest))


def _why_no_curve(found: Fit) -> str:
    if not models_of(found.key.collective):
        return found.reason
    usable = ", ".join(map(str, found.scales)) or "none"
    return f"no curve: fewer than 3 numbers of ranks remain\n(usable: {usable})"


# ------------------------------------------------------------------------------- forecast


def _draw_forecast(axes: Axes, extrapolator: Extrapolator, fabric: Fabric) -> None:
    key = extrapolator.fit.key
    _axes(axes, f"{_words(key.collective)}  on {fabric.name}")
    axes.set_facecolor(_FORECAST_GROUND)
    end = int(min(FORECAST_TO_RANKS, fabric.endpoints.value))
    ends = []
    for n in _FORECAST_SIZES.get(key.collective, ()):
        line = _line(extrapolator.fabric_s, _doublings(2, end), n)
        colour = _colour(n)
        axes.plot(line.ranks, line.middle_s, color=colour, lw=1.6, ls=(0, (5, 2.5)))
        axes.fill_between(
            line.ranks,
            line.low_s,
            line.high_s,
            color=colour,
            alpha=0.14,
            lw=0,
            hatch="////",
            ec=colour,
        )
        ends.append((n, line.ranks[-1], line.middle_s[-1]))
    axes.text(
        0.02, 0.97, "network: from the fabric file, not measured", transform=axes.transAxes,
        ha="left", va="top", color=_FORECAST_INK, fontsize=8.5, fontstyle="italic",
    )  # fmt: skip
    if not models_of(key.collective):
        axes.text(0.5, 0.5, extrapolator.fit.reason, transform=axes.transAxes, ha="center")
    axes.set_xscale("log")
    axes.set_xlim(1.5, end * 12)
    axes.set_xticks([10**k for k in range(1, 10) if 10**k <= end])
    axes.minorticks_off()
    low, high = axes.get_ylim()
    axes.set_ylim(low / (high / low) ** 0.08, high * (high / low) ** 0.1)
    _name_lines(axes, ends)
    inner = 1
    for tier in fabric.tiers:
        outer = min(round(tier.size.value), end)
        if inner > 1:
            axes.axvline(inner, color=_FORECAST_INK, lw=0.7, ls=":", zorder=0)
        axes.text(
            (max(inner, 1.5) * outer) ** 0.5, 0.02, tier.name, ha="center", va="bottom",
            color=_FORECAST_INK, fontsize=7.5, transform=axes.get_xaxis_transform(),
        )  # fmt: skip
        inner = outer


# ------------------------------------------------------------------------------- both


def _doublings(first: int, last: int) -> list[int]:
    """Return first, 2 first, 4 first, ... and last.

    Between powers of two some models fold ranks; the saw teeth would look like a finding.
    """
    found = [first]
    while found[-1] * 2 < last:
        found.append(found[-1] * 2)
    return [*found, last] if last > first else found


def _line(times_of: Any, grid: Sequence[int], n: int) -> _Line:
    times = [times_of(count, [n])[0] for count in grid]
    middle, _, _, low, high = zip(*times, strict=True)
    return _Line(list(grid), list(middle), list(low), list(high))


def _axes(axes: Axes, title: str) -> None:
    from matplotlib.ticker import EngFormatter

    axes.set_title(title, loc="left", fontsize=9.5, fontweight="bold")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(EngFormatter(unit="s", sep=" "))
    axes.set_ylabel("time of one call (s)")
    axes.set_xlabel("ranks (processes)")
    axes.grid(visible=True, which="major", color="#00000018", lw=0.6)


def _name_lines(axes: Axes, ends: Sequence[tuple[int, int, float]]) -> None:
    """Write each size beside its last point, moved up where it would cover the one below."""
    low, high = np.log(axes.get_ylim())
    lowest = -np.inf
    for n, ranks, time_s in sorted(ends, key=lambda end: end[2]):
        lowest = max(lowest + _LABEL_GAP, (np.log(time_s) - low) / (high - low))
        height = float(np.exp(low + lowest * (high - low)))
        axes.annotate(
            _bytes(n), (ranks, height), xytext=(8, 0), textcoords="offset points",
            color=_colour(n), va="center", fontsize=8.5, fontweight="bold",
        )  # fmt: skip


def _bytes(n: int) -> str:
    text = format_bytes(n)
    return f"{text} B" if text.isdigit() else f"{text[:-1]} {text[-1]}iB"


def _words(name: str) -> str:
    return name.replace("_", "-")


def _arrange(figure: Figure, height: float) -> None:
    """Leave fixed room, in inches, for heading and footer."""
    figure.subplots_adjust(
        left=0.085 if len(figure.axes) > 1 else 0.14,
        right=0.985,
        top=1 - 1.2 / height,
        bottom=1.2 / height,
        hspace=0.4,
        wspace=0.17,
    )


def _head(figure: Figure, fabric: Fabric | None, machine: str, left_out: int) -> None:
    height = figure.get_figheight()
    first = [axes for axes in figure.axes if axes.get_subplotspec().is_first_row()]  # type: ignore[union-attr]
    more = f"   ({left_out} more series not drawn)" if left_out else ""
    figure.text(0.012, 1 - 0.25 / height, "Collectives: time against ranks" + more, fontsize=12,
                fontweight="bold", va="center")  # fmt: skip
    figure.text(0.012, 1 - 0.47 / height, machine, fontsize=8, color="#555555", va="center")
    texts = [("(a) MEASURED on this machine", _MEASURED_INK)]
    if fabric is not None:
        texts.append((f"(b) CONDITIONAL forecast, on the fabric file {fabric.name}", _FORECAST_INK))
    for axes, (text, ink) in zip(first, texts, strict=True):
        box = axes.get_position()
        figure.text(
            box.x0, 1 - 0.78 / height, text, color="white", fontsize=9, fontweight="bold",
            va="center", bbox={"fc": ink, "ec": ink, "boxstyle": "round,pad=0.35"},
        )  # fmt: skip


def _foot(figure: Figure, fits: Sequence[Fit], fabric: Fabric | None) -> None:
    """Explain every mark that occurs, below the column it occurs in."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    grey = "#444444"
    labels = {label for found in fits for row in found.rows for label in row.labels[:1]}
    doubted = any(row.suspect or row.wrong > 0 for found in fits for row in found.rows)
    left: list[Any] = [
        Line2D([], [], color=grey, marker="o", ls="", label="measured, 95 % interval")
    ]
    if any(found.curve for found in fits):
        left.append(Line2D([], [], color=grey, lw=1.6, label="fit"))
        left.append(Patch(color=grey, alpha=0.22, lw=0, label="90 % interval of the fit"))
    if any(found.curve and _curve_end(found) > max(found.scales) for found in fits):
        left.append(Line2D([], [], color=grey, lw=1.0, ls=(0, (1, 1.2)), label="extrapolated"))
    for label in sorted(labels):
        name = _MARK_NAMES.get(label, label)
        left.append(
            Line2D([], [], color=grey, marker=_MARKERS.get(label, "o"), mfc="white", ls="", mew=1.2,
                   label=f"{name} (not fitted)")
        )  # fmt: skip
    if doubted:
        left.append(
            Line2D([], [], color=grey, marker="x", ls="", label="wrong or suspect (not fitted)")
        )
    height = figure.get_figheight()
    boxes = [axes.get_position() for axes in figure.axes]
    style: dict[str, Any] = {
        "fontsize": 8,
        "frameon": False,
        "borderaxespad": 0,
        "loc": "lower left",
    }
    figure.legend(handles=left, ncols=2, bbox_to_anchor=(boxes[0].x0, 0.1 / height), **style)
    if fabric is not None:
        right = [
            Line2D(
                [], [], color=grey, lw=1.6, ls=(0, (5, 2.5)), label="fabric file: median forecast"
            ),
            Patch(fc="#44444424", ec=grey, hatch="////", lw=0, label="its 90 % interval"),
            Line2D([], [], color=_FORECAST_INK, lw=0.7, ls=":", label="end of a tier"),
        ]
        figure.legend(handles=right, ncols=2, bbox_to_anchor=(boxes[1].x0, 0.1 / height), **style)
