"""Outcome: draws of a time boiled down to intervals, and how much of their spread each source has.

    share_i = V_i / sum V         V_i the variance of log time that source i brings

Sources are frozen at their medians one after the other, over the same draws, in the order of
`SOURCES` from the fabric on: V_i = V(before) - V(after), the law of total variance in one order.
What multiplies the time independently of all else (model, launch, iteration) needs no order: its
V_i is its own variance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from .bound import Bound
    from .dataset import Dataset

__all__ = [
    "SOURCES",
    "Outcome",
    "Times",
    "boil_down",
    "iteration_variance",
    "shares_of",
    "switching",
]

SOURCES = ("parameters", "fabric", "model", "launch", "iteration")
"""What widens an interval: measured or fitted figures; assumed ones; what the models leave out; the
next launch; the iterations that a median is taken over."""

Times = tuple[float, float, float, float, float]
"""Time, 50 % interval, 90 % interval, in seconds."""

_QUANTILES = (0.5, 0.25, 0.75, 0.05, 0.95)  # in the order of Times
_Z_95 = 1.9600  # two-sided quantile of the standard normal distribution
_LEAST = 1e-9  # of a variance of logarithms: less is rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One place's forecast."""

    times_s: Times
    given_s: Times | None
    """With the fabric's assumed figures at their values; None where none enters."""

    shares: Mapping[str, float]
    """Source -> share of the variance of log time, sum 1; empty where nothing varies."""

    fastest: str
    """Model that is fastest in most draws; "" where none was compared."""

    switch: float
    """Probability that another one was fastest at the largest measured scale."""

    bound_s: float
    bound: str
    """Which bound it is, ``latency`` or ``bandwidth``."""

    clipped: float
    """Share of draws that lay below it."""


def boil_down(
    drawn_s: NDArray[np.float64],
    bound: Bound,
    shares: list[dict[str, float]],
    chosen: list[tuple[str, float]],
    given_s: NDArray[np.float64] | None = None,
) -> list[Outcome]:
    """Return outcomes, one per size.

    Parameters
    ----------
    drawn_s, given_s
        Times in seconds, shape (draw, size).
    bound
        Below which no draw may lie.
    shares, chosen
        Per size: variance shares; fastest model and probability of a switch.
    """
    least = bound.time_s
    times, given = _times(drawn_s, least), None if given_s is None else _times(given_s, least)
    clipped = (drawn_s < least).mean(axis=0)
    return [
        Outcome(
            times_s=times[j],
            given_s=given[j] if given else None,
            shares=shares[j],
            fastest=chosen[j][0],
            switch=chosen[j][1],
            bound_s=float(least[j]),
            bound=bound.names[j],
            clipped=float(clipped[j]),
        )
        for j in range(len(times))
    ]


def _times(drawn_s: NDArray[np.float64], least_s: NDArray[np.float64]) -> list[Times]:
    found = np.quantile(np.maximum(drawn_s, least_s), _QUANTILES, axis=0)
    return [(a, b, c, d, e) for a, b, c, d, e in found.T.tolist()]


def shares_of(**variances: float) -> dict[str, float]:
    """Return shares of variances by source; what is not named has none.

    >>> shares_of(fabric=3.0, launch=1.0)["fabric"]
    0.75
    """
    found = {source: max(0.0, variances.get(source, 0.0)) for source in SOURCES}
    total = sum(found.values())
    return {source: value / total for source, value in found.items()} if total > _LEAST else {}


def switching(here: NDArray[np.str_], before: NDArray[np.str_] | None) -> tuple[str, float]:
    """Return the name found most often, and how often it differs from what was before.

    Parameters
    ----------
    here, before
        Fastest model at two scales in the same draws, shape (draw,).
    """
    if not len(here):
        return "", 0.0
    names, counts = np.unique(here, return_counts=True)
    differs = 0.0 if before is None else float((here != before).mean())
    return str(names[counts.argmax()]), differs


def iteration_variance(rows: Dataset) -> float:
    """Return the variance of the logarithm of a median over iterations, from rows of one launch.

    0 where no row has an interval: it is then part of what launches differ by.
    """
    ends = [
        (row.low_s, row.high_s)
        for row in rows
        if row.fit_for_fitting and row.launches == 1 and 0 < row.low_s <= row.high_s
    ]
    if not ends:
        return 0.0
    low, high = np.log(ends).T
    return float(np.median(high - low) / (2 * _Z_95)) ** 2
