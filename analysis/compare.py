"""Two campaigns, case by case: faster, slower, the same, or not known.

The unit of repetition is the launch: iterations of one launch share its placement, its network and
their neighbours in time. With y the logarithms of the launches' medians, A the first side::

    log ratio   mean(y_B) - mean(y_A)
    p           a permutation test of whole launches over all cases (module `permutation`): no more
                than 3 % of whole comparisons of the same with the same raise any alarm, however
                launches are distributed, as long as they are exchangeable
    interval    both sides with 2 launches or more: Welch's on y, 95 %.
                A single launch on a side: the spread s of known launches, with its degrees of
                freedom, to which is added what a launch does not know of its own median: the spread
                of the medians of contiguous batches, over the square root of their number; and no
                narrower than the largest ratio between two known launches

A verdict:

    FASTER, SLOWER  p <= 3 %, and the ratio is beyond the least effect
    SAME            the 95 % interval lies within the least effect
    AMBIGUOUS       anything else

The interval is Student's rather than a bootstrap's: resampling 3 launches a side covers 80 %, and
10 cover 92 %, instead of 95 %. The test is not Student's: launches of one machine often have two
modes, and two of one beside two of the other gave false alarms in 9 % of comparisons.

Sources: Hoefler and Belli, SC15 (launches, nonparametric care); Hunold and Carpen-Amarie, IEEE TPDS
27 (2016), "Reproducible MPI benchmarking is still not as easy as you think" (the launch is a
factor).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .dataset import imported_key_of, key_of
from .permutation import least_p, permutation_p
from .physics import suspicion

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from ..bench.sample import Campaign
    from .dataset import SeriesKey

__all__ = [
    "LEAST_EFFECT",
    "LEVEL",
    "VERDICTS",
    "Comparison",
    "Place",
    "compare",
    "launches_of",
]

VERDICTS = ("SAME", "FASTER", "SLOWER", "AMBIGUOUS")

LEAST_EFFECT = 0.03
"""Default: a change of less is no change."""

LEVEL = 0.03
"""Chance of any FASTER or SLOWER in a comparison of the same with the same.

So that of 200 such comparisons at most 5 % have one nearly always; and 4 launches a side can tell.
"""

_INTERVAL = 0.05  # what the interval of a ratio leaves out

_BATCHES = 10  # contiguous; long against the dependence of iterations, enough for a spread
_QUANTILE = 0.9  # of the spreads of other cases: a case without its own may be a noisy one


class Place(NamedTuple):
    """One case on one number of ranks."""

    key: SeriesKey
    ranks: int
    message_bytes: int
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One case on both sides."""

    place: Place
    launches_a: int
    launches_b: int
    median_a_s: float
    """Median over launches of the launches' medians, in seconds."""

    median_b_s: float
    ratio: float
    """Time of B over time of A: above 1 is slower."""

    low: float
    """Lower end of the ratio's 95 % interval; NaN where none can be given."""

    high: float
    p: float
    """P-value adjusted for the number of cases; NaN where the spread is not known."""

    least_p: float
    """The smallest that so many launches can give: above `LEVEL` nothing can be said."""

    verdict: str
    """One of `VERDICTS`."""


class _Evidence(NamedTuple):
    """Logarithm of the ratio, its standard error, and the degrees of freedom behind that."""

    log_ratio: float
    error: float
    freedom: float
    reach: float = 0.0
    """Largest log ratio of two known launches, where a side has a single one."""


class _Spread(NamedTuple):
    """How much launches differ, in log time."""

    sd: float
    freedom: float
    reach: float


Launches = dict[Place, list["NDArray[np.float64]"]]
"""Per place the samples of each launch, in order of time, in seconds."""


def launches_of(campaign: Campaign, statistic: str | None = None) -> Launches:
    """Return the samples by place and launch; what is wrong or suspect is left out.

    An imported cell is a launch of one sample.
    """
    found: Launches = {}
    by_launch: dict[tuple[Place, int], list[NDArray[np.float64]]] = {}
    for measurement in campaign.measurements:
        key = key_of(measurement, campaign.launch_of(measurement), statistic)
        size = measurement.case.message_bytes
        place = Place(key, measurement.ranks, size, measurement.labels)
        samples = measurement.sample.seconds(key.statistic)
        if measurement.wrong or measurement.suspect or not len(samples):
            continue
        median_s = float(np.median(samples))
        if median_s > 0 and not suspicion(key.collective, place.ranks, size, median_s):
            by_launch.setdefault((place, measurement.launch), []).append(samples)
    for (place, _), parts in by_launch.items():
        found.setdefault(place, []).append(np.concatenate(parts))
    for table in campaign.imported:
        for index in range(len(table)):
            cell = table.row(index)
            if cell["time_s"] > 0 and not cell["suspect"] and cell["wrong"] <= 0:
                place = Place(imported_key_of(cell), cell["ranks"], cell["message_bytes"], ())
                found.setdefault(place, []).append(np.array([cell["time_s"]]))
    return found


def compare(
    first: Launches,
    second: Launches,
    *,
    least_effect: float = LEAST_EFFECT,
    known: Iterable[Launches] = (),
) -> list[Comparison]:
    """Compare the places that both sides have.

    Parameters
    ----------
    first, second
        What `launches_of` returned.
    least_effect
        Relative change that matters.
    known
        Further campaigns, such as a baseline's history, that tell the spread between launches.
    """
    shared = [place for place in first if place in second]
    known = tuple(known)
    spreads = _spreads((first, second, *known))
    p_values = _p_values(first, second, known, shared)
    found = []
    for place in shared:
        evidence = _weigh(first[place], second[place], place, spreads)
        comparison = _describe(place, first[place], second[place], evidence, *p_values[place])
        found.append(replace(comparison, verdict=_verdict(comparison, least_effect)))
    return found


def _weigh(
    first: list[NDArray[np.float64]],
    second: list[NDArray[np.float64]],
    place: Place,
    spreads: Mapping[Place | None, _Spread],
) -> _Evidence:
    a, b = _log_medians(first), _log_medians(second)
    log_ratio = float(b.mean() - a.mean())
    if len(a) > 1 and len(b) > 1:
        parts = [float(y.var(ddof=1)) / len(y) for y in (a, b)]
        error = math.sqrt(sum(parts))
        below = sum(part**2 / (len(y) - 1) for part, y in zip(parts, (a, b), strict=True))
        return _Evidence(log_ratio, error, error**4 / below if below > 0 else len(a) + len(b) - 2)
    known = spreads.get(place) or spreads.get(None) or _UNKNOWN
    own = sum(_own_variance(side[0]) for side in (first, second) if len(side) == 1)
    error = math.sqrt(known.sd**2 * (1 / len(a) + 1 / len(b)) + own)
    return _Evidence(log_ratio, error, known.freedom, known.reach)


_UNKNOWN = _Spread(math.nan, math.nan, math.nan)


def _own_variance(samples: NDArray[np.float64]) -> float:
    """Return the variance of the log median of one launch, from contiguous batches."""
    if len(samples) < 2 * _BATCHES:
        return 0.0  # contained in the spread between launches, as far as that is known
    medians = np.array([np.median(batch) for batch in np.array_split(samples, _BATCHES)])
    medians = medians[medians > 0]
    return float(np.log(medians).var(ddof=1)) / len(medians) if len(medians) > 1 else 0.0


def _spreads(campaigns: Sequence[Launches]) -> dict[Place | None, _Spread]:
    """Return the spread between launches by place.

    Under None stands what holds for places that nobody launched twice: a high quantile over the
    places that somebody did, at the least degrees of freedom among them.
    """
    squares: dict[Place, tuple[float, int, float]] = {}
    for campaign in campaigns:
        for place, launches in campaign.items():
            if len(launches) > 1:
                y = _log_medians(launches)
                total, freedom, reach = squares.get(place, (0.0, 0, 0.0))
                added = float(((y - y.mean()) ** 2).sum())
                squares[place] = total + added, freedom + len(y) - 1, max(reach, float(np.ptp(y)))
    found: dict[Place | None, _Spread] = {
        place: _Spread(math.sqrt(total / freedom), freedom, reach)
        for place, (total, freedom, reach) in squares.items()
    }
    if found:
        sds, freedoms, reaches = zip(*found.values(), strict=True)
        found[None] = _Spread(float(np.quantile(sds, _QUANTILE)), min(freedoms), max(reaches))
    return found


def _log_medians(launches: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.asarray(np.log([np.median(samples) for samples in launches]), np.float64)


def _p_values(
    first: Launches, second: Launches, known: Sequence[Launches], shared: list[Place]
) -> dict[Place, tuple[float, float]]:
    """Return the adjusted p-value of every place, and the least that it could be.

    Places with equally many launches are tested together; such groups are few, and share the level.
    """
    groups: dict[tuple[int, int, int], list[tuple[Place, Sequence[NDArray[np.float64]]]]] = {}
    for place in shared:
        more = max((one.get(place, []) for one in known), key=len, default=[])
        parts = [_log_medians(side) for side in (first[place], second[place], more)]
        sizes = len(parts[0]), len(parts[1]), len(parts[2])
        groups.setdefault(sizes, []).append((place, parts))
    found = {}
    for sizes, members in groups.items():
        sides = [np.stack([parts[at] for _, parts in members], axis=1) for at in range(3)]
        least = min(least_p(*sizes) * len(groups), 1.0)
        for (place, _), p in zip(members, permutation_p(*sides), strict=True):
            found[place] = (min(float(p) * len(groups), 1.0), least)
    return found


def _describe(
    place: Place,
    first: list[NDArray[np.float64]],
    second: list[NDArray[np.float64]],
    evidence: _Evidence,
    p: float,
    smallest_p: float,
) -> Comparison:
    from scipy.stats import t

    log_ratio, error, freedom, reach = evidence
    half = float(t.ppf(1 - _INTERVAL / 2, freedom)) * error if error > 0 else error
    half = max(half, reach)  # NaN stays
    median_a_s, median_b_s = (
        float(np.median([np.median(samples) for samples in side])) for side in (first, second)
    )
    return Comparison(
        place=place,
        launches_a=len(first),
        launches_b=len(second),
        median_a_s=median_a_s,
        median_b_s=median_b_s,
        ratio=math.exp(log_ratio),
        low=_exp(log_ratio - half),
        high=_exp(log_ratio + half),
        p=p,
        least_p=smallest_p,
        verdict="AMBIGUOUS",
    )


def _exp(value: float) -> float:
    return math.exp(min(value, 700.0))  # two launches a side can leave an interval without end


def _verdict(found: Comparison, least_effect: float) -> str:
    least, most = 1 / (1 + least_effect), 1 + least_effect
    if found.p <= LEVEL and not least < found.ratio < most:
        return "SLOWER" if found.ratio > 1 else "FASTER"
    return "SAME" if least < found.low and found.high < most else "AMBIGUOUS"
