"""Noise: the detours that a fixed quantum of work shows, rank by rank.

Of the durations d of one rank's quanta, in order of time:

    quantum  q   median of d in blocks of 512: a core that changes its speed is no detour
    spread   s   1.4826 median |d - q|
    detour       d > q + max(8 s, q / 20), of length d - q
    lost         sum of lengths / sum of d

Lengths and frequency of detours are what Hoefler, Schneider and Lumsdaine (SC10) characterise
systems by; the durations come from FWQ (see `collcast.bench.noise`).

A period is looked for among detours of similar length (a factor of 4): the shortest lag at which,
beyond what chance gives, as many of them as at any other are followed by another one, and 60 % at
least. Lags count as one within 5 %; what chance gives is told by the lags around, from 2/3 of it to
3/2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ..bench.sample import Campaign, Measurement, Sample

__all__ = ["Noise", "Period", "noise_of", "noises", "period_of"]

_BLOCK = 512  # quanta: 10 ms of 20 us
_SPREADS = 8  # of a normal distribution nothing lies so far out
_LEAST_SHARE = 1 / 20  # of the quantum: below, jitter of the core's clock and caches
_RATIO = 1.05  # of two lags that count as one
_AROUND = 1.5
_LEAST_FOLLOWED = 0.6
_NEARLY = 0.85
_LEAST_CYCLES = 6  # fewer are no period
_MOST_LOOKED = 300  # of the candidates: they lie densely
_LEAST_DETOURS = 8  # fewer say nothing of a period
_MOST_DETOURS = 4000  # the first of a class: 64 lags of each are a quarter of a million
_LAGS = 64  # to the next so many detours


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Detours that come again and again."""

    period_s: float
    length_s: float
    """Their median length."""

    detours: int
    lost_s: float
    """Time that they took."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Noise:
    """Detours of one rank."""

    rank: int
    quantum_s: float
    """Median duration of a quantum."""

    observed_s: float
    """Time spent in all quanta."""

    at_s: NDArray[np.float64]
    """When the quantum of each detour began, shape (detour,), ascending."""

    lengths_s: NDArray[np.float64]
    """Shape (detour,)."""

    period: Period | None
    """The period that takes the most time; None where detours come at random."""

    @property
    def per_second(self) -> float:
        """Detours per second."""
        return len(self.at_s) / self.observed_s

    @property
    def median_s(self) -> float:
        """Median length; 0 without detours."""
        return float(np.median(self.lengths_s)) if len(self.lengths_s) else 0.0

    @property
    def largest_s(self) -> float:
        """Longest detour; 0 without detours."""
        return float(self.lengths_s.max(initial=0.0))

    @property
    def lost(self) -> float:
        """Share of the time that detours took."""
        return float(self.lengths_s.sum() / self.observed_s)


def noises(campaign: Campaign) -> Iterator[tuple[Measurement, list[Noise]]]:
    """Yield every measurement of noise with what its ranks suffered."""
    for measurement in campaign.measurements:
        if measurement.case.collective == "noise" and measurement.sample.repetitions:
            yield measurement, noise_of(measurement.sample)


def noise_of(sample: Sample) -> list[Noise]:
    """Return the detours of every rank of one measurement."""
    durations_ns = sample.stop_ns - sample.start_ns
    return [
        _noise_of_rank(rank, sample.start_ns[:, rank], durations_ns[:, rank].astype(np.float64))
        for rank in range(sample.ranks)
    ]


def _noise_of_rank(rank: int, start_ns: NDArray[np.int64], d: NDArray[np.float64]) -> Noise:
    q = _quantum(d)
    spread = 1.4826 * float(np.median(np.abs(d - q)))
    found = d > q + np.maximum(_SPREADS * spread, _LEAST_SHARE * q)
    at_s = (start_ns[found] - start_ns[0]) * 1e-9
    lengths_s = (d - q)[found] * 1e-9
    return Noise(
        rank=rank,
        quantum_s=float(np.median(d)) * 1e-9,
        observed_s=float(d.sum()) * 1e-9,
        at_s=at_s,
        lengths_s=lengths_s,
        period=period_of(at_s, lengths_s),
    )


def _quantum(d: NDArray[np.float64]) -> NDArray[np.float64]:
    blocks = np.array_split(d, max(len(d) // _BLOCK, 1))
    return np.concatenate([np.full(len(block), np.median(block)) for block in blocks])


def period_of(at_s: NDArray[np.float64], lengths_s: NDArray[np.float64]) -> Period | None:
    """Return the period of the detours that take the most time, None if there is none.

    Parameters
    ----------
    at_s, lengths_s
        Times, ascending, and lengths of detours, shape (detour,), in seconds.
    """
    if len(at_s) < _LEAST_DETOURS:
        return None
    classes = np.unique(np.floor(np.log2(lengths_s)))
    found = []
    for first in classes:
        alike = (lengths_s >= 2.0 ** (first - 1)) & (lengths_s < 2.0 ** (first + 1))
        found.append(_period_of_class(at_s[alike], lengths_s[alike]))
    periods = [period for period in found if period is not None]
    return max(periods, key=lambda period: period.lost_s, default=None)


def _period_of_class(at_s: NDArray[np.float64], lengths_s: NDArray[np.float64]) -> Period | None:
    at_s, lengths_s = at_s[:_MOST_DETOURS], lengths_s[:_MOST_DETOURS]
    count = len(at_s)
    if count < _LEAST_DETOURS:
        return None
    nexts = range(1, min(_LAGS, count - 1) + 1)
    first = np.concatenate([np.arange(count - next_) for next_ in nexts])
    second = np.concatenate([np.arange(next_, count) for next_ in nexts])
    lags_s = at_s[second] - at_s[first]
    order = np.argsort(lags_s)
    lags_s, first, second = lags_s[order], first[order], second[order]
    # The range of lags that begins with each of them, its pairs, and what chance gives.
    ends = np.searchsorted(lags_s, lags_s * _RATIO, side="right")
    within = ends - np.arange(len(lags_s))
    around = np.searchsorted(lags_s, lags_s * _AROUND) - np.searchsorted(lags_s, lags_s / _AROUND)
    chance = (around - within) * (_RATIO - 1) / (_AROUND - 1 / _AROUND - (_RATIO - 1))
    # Lags so long that pairs of them, or of those around, are missing for the later detours.
    reach_s = (at_s[-1] - at_s[0]) / _LEAST_CYCLES
    if count > _LAGS:
        reach_s = min(reach_s, float(np.quantile(at_s[_LAGS:] - at_s[:-_LAGS], 0.05)))
    known = (lags_s > 0) & (lags_s * _AROUND <= reach_s)
    looked = np.flatnonzero(known & (within - chance >= _LEAST_FOLLOWED * (count - 1)))
    looked = looked[:: max(len(looked) // _MOST_LOOKED, 1)]
    # Two dense groups make many pairs of one lag, but each detour is followed once.
    followed = np.array([len(np.unique(first[i : ends[i]])) for i in looked])
    share = followed / (count - 1) - (1 - np.exp(-chance[looked] / (count - 1)))
    if share.max(initial=0.0) < _LEAST_FOLLOWED:
        return None
    enough = looked[share >= _NEARLY * share.max()]  # multiples of the period have about as many
    near = np.flatnonzero((looked >= enough[0]) & (lags_s[looked] <= lags_s[enough[0]] * _RATIO))
    best = looked[near[np.argmax(share[near])]]
    chosen = slice(int(best), int(ends[best]))
    members = np.union1d(first[chosen], second[chosen])
    return Period(
        period_s=float(np.median(lags_s[chosen])),
        length_s=float(np.median(lengths_s[members])),
        detours=len(members),
        lost_s=float(lengths_s[members].sum()),
    )
