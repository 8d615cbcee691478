"""Jump: sizes between which times leap at nearly every scale, as where a library changes protocol.

    r(P, n)     = log(measured / fitted)                    what the cost model leaves
    j(n, n')    = median over P of r(P, n') - r(P, n)       n < n' neighbours at that scale

Neighbours are a jump where |j| is at least `LEAST`, exceeds `_SPREADS` robust deviations of all
neighbours' differences, and at least three scales in four, and three, leap the same way by half as
much. What misfits smoothly (a rate that the model has wrong) makes many small differences, one
protocol one large one: LL ends where LL128 or Simple begins, eager messages where rendezvous does.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from .cells import cells_of

if TYPE_CHECKING:
    from .fit import Fit

__all__ = ["LEAST", "Jump", "jumps_of"]

LEAST = 0.25
"""Of log time: 28 %. Doubling a message's latency shows up as more; medians of launches differ by
less."""

_SPREADS = 3.0
_SHARE = 0.75
_LEAST_SCALES = 3
_NORMAL_MAD = 1.4826  # standard deviation over median absolute deviation, normal distribution


@dataclass(frozen=True, slots=True, kw_only=True)
class Jump:
    """Two neighbouring sizes."""

    below_bytes: int
    """Of a message; all-to-all: for one peer. So the next."""

    above_bytes: int
    ratio: float
    """By which the time leaps besides what the cost model says."""

    scales: int
    """Numbers of ranks that leap so."""

    of: int
    """Numbers of ranks that have both sizes."""


def jumps_of(fit: Fit) -> tuple[Jump, ...]:
    """Return the jumps of a fitted series, sizes rising; none without a curve."""
    if fit.curve is None:
        return ()
    used = type(fit.rows)(
        tuple(row for row in fit.rows if row.fit_for_fitting and row.ranks in fit.scales)
    )
    cells = cells_of(used, float("inf"))
    left = np.log(used.column("median_s")) - fit.curve.log_s(cells)
    size = np.round(2.0**cells.c).astype(int)
    leaps: dict[tuple[int, int], list[float]] = {}
    for ranks in np.unique(cells.ranks):
        own = np.flatnonzero(cells.ranks == ranks)
        for low, high in pairwise(own[np.argsort(size[own])]):
            leaps.setdefault((int(size[low]), int(size[high])), []).append(left[high] - left[low])
    every = np.concatenate([np.zeros(1), *leaps.values()])  # of one size alone, none
    spread = _NORMAL_MAD * float(np.median(np.abs(every - np.median(every))))
    found = []
    for (low, high), values in sorted(leaps.items()):
        leap = np.array(values)
        if len(leap) < _LEAST_SCALES:
            continue
        middle = float(np.median(leap))
        alike = int((leap * np.sign(middle) >= abs(middle) / 2).sum())
        if abs(middle) < max(LEAST, _SPREADS * spread) or alike < _SHARE * len(leap):
            continue
        found.append(
            Jump(
                below_bytes=low, above_bytes=high, ratio=float(np.exp(middle)), scales=alike,
                of=len(leap),
            )
        )  # fmt: skip
    return tuple(found)
