"""Impact of a load: times of a case while other ranks loaded the network, over its quiet ones.

    impact factor = quantile_p (loaded) / quantile_p (quiet)          p = 50 %, 99 %

as GPCNeT states it. The 95 % interval is a percentile bootstrap: launches are drawn with
replacement, and within each, as iterations depend on each other, circular blocks of sqrt(n) samples
(Politis and Romano, A circular block-resampling procedure for stationary data, 1992).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .dataset import key_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..bench.sample import Campaign, Measurement
    from .dataset import SeriesKey

    Launches = list["NDArray[np.float64]"]

__all__ = ["Factor", "Impact", "impacts"]

_QUANTILES = (0.5, 0.99)
_LEAST_TAIL = 100  # samples a side: below, no sample lies beyond the 99th percentile
_REPLICATES = 500
_BROUGHT = frozenset({"loaded", "oversubscribed"})  # labels that a load may bring: it computes, too


@dataclass(frozen=True, slots=True)
class Factor:
    """Loaded over quiet with its 95 % interval; NaN where there are too few samples."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """One case under one load."""

    key: SeriesKey
    """Of the loaded case."""

    ranks: int
    message_bytes: int
    quiet_s: float
    """Median."""

    loaded_s: float
    median: Factor
    tail: Factor
    """At the 99th percentile."""

    load_bytes_per_s: float
    """What all aggressors sent, the least over the launches; 0 unless ranks did nothing else."""

    oversubscribed: bool
    """Whether more ranks than cores were at work under load: that slows them down as well."""


def impacts(campaign: Campaign, statistic: str | None = None) -> list[Impact]:
    """Return the impact of every load, where the same case was measured quiet, too.

    A launch that holds both sides is believed more than others: if there is one, no others count.
    """
    places: dict[tuple[Any, ...], dict[str, list[Measurement]]] = {}
    for found in campaign.measurements:
        if found.wrong or found.suspect or not found.sample.repetitions:
            continue
        key = key_of(found, campaign.launch_of(found), statistic)
        labels = tuple(label for label in found.labels if label not in _BROUGHT)
        place = replace(key, load=""), found.ranks, found.case.message_bytes, labels
        places.setdefault(place, {}).setdefault(key.load, []).append(found)
    return [
        _impact(replace(key, load=load), quiet, loaded)
        for (key, *_), sides in places.items()
        for load, loaded in sorted(sides.items())
        if load and (quiet := sides.get(""))
    ]


def _impact(key: SeriesKey, quiet: list[Measurement], loaded: list[Measurement]) -> Impact:
    both = {found.launch for found in quiet} & {found.launch for found in loaded}
    if both:
        quiet, loaded = (
            [found for found in side if found.launch in both] for side in (quiet, loaded)
        )
    sides = _by_launch(quiet, key.statistic), _by_launch(loaded, key.statistic)
    points = [np.quantile(np.concatenate(side), _QUANTILES) for side in sides]
    draws = [_bootstrap(side, seed) for seed, side in enumerate(sides)]
    ends = np.quantile(draws[1] / draws[0], (0.025, 0.975), axis=0)
    factors = [Factor(*map(float, three)) for three in np.vstack([points[1] / points[0], ends]).T]
    if min(sum(map(len, side)) for side in sides) < _LEAST_TAIL:
        factors[1] = Factor(math.nan, math.nan, math.nan)
    return Impact(
        key=key,
        ranks=loaded[0].ranks,
        message_bytes=loaded[0].case.message_bytes,
        quiet_s=float(points[0][0]),
        loaded_s=float(points[1][0]),
        median=factors[0],
        tail=factors[1],
        load_bytes_per_s=min(found.load_bytes_per_s for found in loaded),
        oversubscribed=any("oversubscribed" in found.labels for found in loaded),
    )


def _by_launch(side: Sequence[Measurement], statistic: str) -> Launches:
    """Samples of each launch in order of time, groups one after the other, in seconds."""
    parts: dict[int, Launches] = {}
    for found in side:
        parts.setdefault(found.launch, []).append(found.sample.seconds(statistic))
    return [np.concatenate(launch) for launch in parts.values()]


def _bootstrap(launches: Launches, seed: int) -> NDArray[np.float64]:
    """Return quantiles of resampled launches, shape (replicate, quantile)."""
    rng = np.random.default_rng(seed)
    found = np.empty((_REPLICATES, len(_QUANTILES)))
    for replicate in range(_REPLICATES):
        drawn = rng.integers(len(launches), size=len(launches))
        sample = np.concatenate([_blocks(launches[launch], rng) for launch in drawn])
        found[replicate] = np.quantile(sample, _QUANTILES)
    return found


def _blocks(samples: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    count = len(samples)
    length = math.isqrt(count)
    starts = rng.integers(count, size=-(-count // length))
    index = (starts[:, None] + np.arange(length)).ravel()[:count] % count
    return np.asarray(samples[index], np.float64)
