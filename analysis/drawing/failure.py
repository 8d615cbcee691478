"""Goodput against the size of the job, one band per policy over the published rates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..goodput import LARGEST_SEEN, POLICIES, goodput
from .style import STYLE, count_text, head, mark_assumed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..fabrics import Fabric

__all__ = ["draw_goodput"]

_LOOKS = {
    "restart": ("#D55E00", "full restart, stock start of communicators", (0, (1.5, 1.5))),
    "restart_optimised": ("#0072B2", "full restart, start in time O(N)", (0, (5, 2))),
    "shrink": (
        "#009E73",
        "the other replicas go on, stall 3 min as at 100,000 (line: in a row)",
        "-",
    ),
}
_PUBLISHED = (
    (98_304, 0.44, "s", "44 %: full restart"),
    (98_304, 0.80, "o", "80 %: replicas go on"),
)
_TICKS = (1024, 4096, 16_384, 65_536, 200_000, 550_000, 1_000_000)


def draw_goodput(fabric: Fabric) -> Figure:
    """Return the picture."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    most = min(1_050_000, round(fabric.endpoints.value))
    ranks = np.unique(np.geomspace(1024, most, 160).astype(int))
    with rc_context(STYLE):
        figure = Figure(figsize=(9.2, 5.6))
        axes = figure.add_axes((0.085, 0.255, 0.89, 0.575))
        mark_assumed(axes, LARGEST_SEEN, 1.1e6, "beyond every published job")
        for policy in POLICIES:
            _band(axes, fabric, policy, ranks)
        for count, share, marker, text in _PUBLISHED:
            axes.plot(count, share, marker, mfc="white", mec="black", mew=1.4, ms=7, zorder=5)
            axes.annotate(f"published {text}", (count, share), (-9, -3), fontsize=8.5,
                          textcoords="offset points", ha="right",
                bbox={"fc": "white", "ec": "none", "alpha": 0.8, "pad": 1})  # fmt: skip
        axes.set_xscale("log")
        axes.set_xlim(1024, 1.1e6)
        axes.set_ylim(0, 1.02)
        ticks = [count for count in _TICKS if count <= most]
        axes.set_xticks(ticks, [_tick(fabric, count) for count in ticks])
        axes.minorticks_off()
        axes.set_xlabel("GPUs of one job; below: minutes between failures at the central rate")
        axes.set_ylabel("goodput: share of time that counts")
        axes.grid(axis="y", color="#dddddd", lw=0.6)
        figure.legend(loc="lower left", bbox_to_anchor=(0.08, 0.005), frameon=False, fontsize=8.5)
        head(figure, "Goodput of one job against its size",
             "Lines: central rate of failures (Llama 3); bands: published rates from 2.3 (Meta, "
             "32k) to 6.5 (RSC-1) per 1,000 node-days")  # fmt: skip
    return figure


def _band(axes: Axes, fabric: Fabric, policy: str, ranks: np.ndarray) -> None:
    found = [goodput(fabric, int(count), policy) for count in ranks]
    best = [item.most[0] for item in found]
    middle, worst = ([item.share[k] for item in found] for k in (1, 2))
    colour, text, dashes = _LOOKS[policy]
    axes.fill_between(ranks, worst, best, color=colour, alpha=0.18, lw=0)
    axes.plot(ranks, middle, color=colour, lw=2, ls=dashes, label=text)


def _tick(fabric: Fabric, count: int) -> str:
    minutes = goodput(fabric, count, "shrink").mtbf_s[1] / 60
    return f"{count_text(count)}\n{minutes:,.0f}" if minutes >= 10 else (
        f"{count_text(count)}\n{minutes:.1f}"
    )  # fmt: skip
