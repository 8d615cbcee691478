"""Every pair of ranks: the matrix of times, and which pairs or ranks are slow.

One look at a pair is one measured case: t, the lower quartile of its times, because a slow link is
slow in its best quarter, too, where what disturbs a machine comes and goes. Looks at the same size
in one launch are compared within a class of pairs that cross the same levels of the network. With
L the least excess that matters, T the lower median of t,

    y = log(t + L),  m = log(T + L),  s = 1.4826 x lower median of m - y over y <= m

a look is slow if t > (1 + `LEAST_SHARE`) T, t > T + L and y - m > 5 s. The spread is that of the
faster half: slow pairs do not hide behind it. L is `LEAST_S`; `LEAST_SHARED_S` in launches with
more ranks than cores on a host, where two ranks may meet on one core.

A pair is slow if `LOOKS` looks in a row are, by size and launch; all of them, where there are
fewer. They were taken at different times, cases being measured in a random order.

A rank is slow, rather than its pairs, if at least three in four of its pairs are, and two of them;
of four ranks or more, for with three its pairs are most of all.

Sources: lower medians tolerate half of the values being slow, as with one rank of four; 1.4826 MAD
estimates the standard deviation of a normal distribution (Rousseeuw and Croux, Journal of the
American Statistical Association 88, 1993).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..bench.case import PAIRS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from ..bench.sample import Campaign, Launch, Measurement

__all__ = [
    "LEAST_S",
    "LEAST_SHARE",
    "LEAST_SHARED_S",
    "LOOKS",
    "Matrix",
    "SlowPair",
    "find_slow",
    "matrices_of",
    "nothing_slow",
]

LEAST_SHARE = 0.5
"""A pair that takes less than this share more than is usual is not slow."""

LEAST_S = 1e-6
"""Nor one that takes less than this more, in seconds: caches and sockets differ by as much."""

LEAST_SHARED_S = 50e-6
"""Nor this, where ranks share cores: every message may then wait for a switch between processes."""

LOOKS = 3
"""Looks in a row that must agree."""

_LEAST_PAIRS = 3  # two that differ do not say which of them is unusual
_SPREADS = 5.0  # robust standard deviations: one normal value in 3.5 million lies beyond
_RANK_SHARE = 0.75
_QUARTILE = 0.25
_LEVELS = ("host", "nvlink_domain", "leaf", "pod")


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowPair:
    """Two ranks whose messages are slow, or one whose messages with most others are."""

    ranks: tuple[int, ...]
    """Two ranks, or one."""

    ratio: float
    """Time over what is usual for such pairs; the median over slow looks."""

    excess_s: float
    """Time beyond what is usual, in seconds; likewise."""

    sizes: tuple[int, ...]
    """At which sizes it was seen, in bytes, ascending."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Matrix:
    """Times of all pairs at one size, as one launch or several found them."""

    collective: str
    transport: str
    message_bytes: int
    time_s: NDArray[np.float64]
    """Shape (rank, rank), symmetric unless both directions were measured: the median time of a
    message, the median over launches; NaN where nothing was measured."""


@dataclass(frozen=True, slots=True)
class _Look:
    """One measured case."""

    pair: tuple[int, int]
    order: tuple[int, int]
    """Size in bytes and launch."""

    time_s: float
    usual_s: float
    slow: bool


def pairs_in(campaign: Campaign) -> list[Measurement]:
    """Return the measurements between two ranks that can be believed and are delayed by nothing."""
    return [
        found
        for found in campaign.measurements
        if found.case.collective in PAIRS and not found.wrong and not found.suspect
        and found.sample.repetitions
    ]  # fmt: skip


def matrices_of(campaign: Campaign) -> list[Matrix]:
    """Return a matrix per collective, transport and size, sizes ascending."""
    groups: dict[tuple[str, str, int], dict[tuple[int, int], list[float]]] = {}
    for found in pairs_in(campaign):
        case = found.case
        key = (case.collective, case.transport, case.message_bytes)
        median_s = float(np.median(found.sample.seconds("local_max")))
        groups.setdefault(key, {}).setdefault((case.root, case.peer), []).append(median_s)
    matrices = []
    for (collective, transport, size), cells in sorted(groups.items()):
        ranks = 1 + max(max(pair) for pair in cells)
        time_s = np.full((ranks, ranks), np.nan)
        for (root, peer), times in cells.items():
            time_s[root, peer] = np.median(times)
            if (peer, root) not in cells:
                time_s[peer, root] = time_s[root, peer]
        matrices.append(
            Matrix(collective=collective, transport=transport, message_bytes=size, time_s=time_s)
        )
    return matrices


def find_slow(campaign: Campaign) -> list[SlowPair]:
    """Return the ranks, then the pairs, that are slow; each by number. Needs three pairs alike."""
    looks: dict[tuple[int, int], list[_Look]] = {}
    for members in _strata(campaign):
        for look in _looks(members, campaign.launch_of(members[0])):
            looks.setdefault(look.pair, []).append(look)
    slow = {pair: agreed for pair, seen in looks.items() if (agreed := _agreeing(seen))}
    return [*_slow_ranks(slow, list(looks)), *(_finding(p, slow[p]) for p in sorted(slow))]


def nothing_slow(campaign: Campaign) -> str:
    """Return what to say where `find_slow` names nothing."""
    if all(len(members) < _LEAST_PAIRS for members in _strata(campaign)):
        return f"too few pairs to find a slow one: fewer than {_LEAST_PAIRS} alike"
    return "no pair and no rank is slow"


def _strata(campaign: Campaign) -> list[list[Measurement]]:
    """Looks at pairs of one class, at one size in one launch."""
    strata: dict[object, list[Measurement]] = {}
    for found in pairs_in(campaign):
        launch = campaign.launch_of(found)
        case = found.case
        crossed = _crossed(launch, (case.root, case.peer))
        key = (case.collective, case.transport, case.message_bytes, found.launch, crossed)
        strata.setdefault(key, []).append(found)
    return list(strata.values())


def _crossed(launch: Launch, pair: tuple[int, int]) -> tuple[bool, ...]:
    """Which levels of the network two ranks have in common."""
    location = launch.environment.location
    columns = [getattr(location, level) for level in _LEVELS]
    return tuple(
        column[pair[0]] == column[pair[1]] for column in columns if len(column) > max(pair)
    )


def _looks(members: Sequence[Measurement], launch: Launch) -> list[_Look]:
    """Compare pairs of one class at one size in one launch."""
    if len(members) < _LEAST_PAIRS:
        return []
    times_s = np.array(
        [np.quantile(found.sample.seconds("local_max"), _QUARTILE) for found in members]
    )
    least_s = LEAST_SHARED_S if _crowded(launch) else LEAST_S
    usual_s = _lower_median(times_s)
    beyond = np.log((times_s + least_s) / (usual_s + least_s))
    spread = 1.4826 * _lower_median(-beyond[beyond <= 0])
    return [
        _Look(
            pair=_pair(found),
            order=(found.case.message_bytes, found.launch),
            time_s=time_s,
            usual_s=usual_s,
            slow=bool(
                time_s > (1 + LEAST_SHARE) * usual_s
                and time_s > usual_s + least_s
                and log > _SPREADS * spread
            ),
        )
        for found, time_s, log in zip(members, times_s.tolist(), beyond.tolist(), strict=True)
    ]


def _crowded(launch: Launch) -> bool:
    """Whether a host has more ranks than cores."""
    hosts = launch.environment.location.host
    cores = launch.environment.cores_per_host
    return any(hosts.count(host) > cores.get(host, len(hosts)) for host in set(hosts))


def _lower_median(values: NDArray[np.float64]) -> float:
    return float(np.sort(values)[(len(values) - 1) // 2])


def _pair(found: Measurement) -> tuple[int, int]:
    first, second = sorted(found.members)
    return first, second


def _agreeing(looks: Iterable[_Look]) -> list[_Look]:
    """Return the slow looks that belong to a run of enough of them."""
    ordered = sorted(looks, key=lambda look: look.order)
    needed = min(LOOKS, len(ordered))
    found: list[_Look] = []
    run: list[_Look] = []
    for look in [*ordered, None]:
        if look is not None and look.slow:
            run.append(look)
            continue
        found += run if len(run) >= needed else []
        run = []
    return found


def _slow_ranks(
    slow: dict[tuple[int, int], list[_Look]], pairs: list[tuple[int, int]]
) -> list[SlowPair]:
    """Return the ranks that explain their slow pairs, and take those pairs out of `slow`."""
    found: list[SlowPair] = []
    while True:
        counts: dict[int, list[bool]] = {}
        for pair in pairs:
            for rank in pair:
                counts.setdefault(rank, []).append(pair in slow)
        shares = {
            rank: sum(marks) / len(marks)
            for rank, marks in counts.items()
            if sum(marks) >= 2 and sum(marks) >= _RANK_SHARE * len(marks)
        }
        if not shares:
            return sorted(found, key=lambda finding: finding.ranks)
        worst = max(shares, key=lambda rank: (shares[rank], -rank))
        own = [pair for pair in pairs if worst in pair]
        looks = [look for pair in own for look in slow.pop(pair, [])]
        pairs = [pair for pair in pairs if worst not in pair]
        found.append(_finding((worst,), looks))


def _finding(ranks: tuple[int, ...], looks: Sequence[_Look]) -> SlowPair:
    return SlowPair(
        ranks=ranks,
        ratio=float(np.median([look.time_s / look.usual_s for look in looks])),
        excess_s=float(np.median([look.time_s - look.usual_s for look in looks])),
        sizes=tuple(sorted({look.order[0] for look in looks})),
    )
