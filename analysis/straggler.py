"""Stragglers: ranks that keep the others waiting, told from the noise of a machine.

With start s and stop e of rank r in repetition i, two lags behind the others of that repetition:

    arrival_r = s_r - median over r' != r of s_r'      the rank comes late
    leaving_r = e_r - median over r' != r of e_r'      it leaves late: slow inside the operation

Where ranks share cores (label ``oversubscribed``) a rank that computes also holds up those that
wait for its core, and they come behind it. Then only the first of those that come late together is
to blame, and for the lag stands the gap before the rank:

    gap_r = s_r - max of s_r' < s_r        likewise with e

The first to arrive has nobody before it. Between operations that synchronise as a barrier does, its
gap counts from the last stop of the repetition before and `FIRST_SHARE` times the usual time, which
a barrier may take. Of the first to leave nothing is known, for its gap is the operation itself:
such repetitions are left out for that rank.

The repetitions of a case are cut into `BLOCKS` contiguous blocks of time. A block speaks against a
rank if the lower quartile of its lag, or gap, there is at least

    max(`LEAST_SHARE` x the case's usual time after the last arrival, `LEAST_S`, clock error)

with `LEAST_SHARED_S` for `LEAST_S` on shared cores, and usual the lower quartile, or that of a case
of more bytes where it is less. A block that took `DISTURBED` times as long in its best quarter says
nothing: the machine was busy with something else. A straggler lags in its best quarter, too; a rank
that the machine disturbs lags now and then. Were lags no property
of the rank, a block would speak against it with probability 1/2 at most: half of the ranks lie
behind the median, and not every rank can have a gap before it. Named is a rank with

    2 P P(Binomial(blocks, 1/2) >= blocks against) <= `LEVEL`   (Bonferroni: P ranks, two lags)

and at least `LEAST_BLOCKS` of the blocks against it. A rank that is late out of itself and leaves
late for that reason alone is called late.

What stamps cannot tell: who was slow before it sent anything inside an operation that waits for
all, because all then leave late together. Messages between two ranks (``run pairs``) tell that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .arrival import meet

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..bench.sample import Campaign, Measurement, Sample

__all__ = [
    "BLOCKS",
    "DISTURBED",
    "FIRST_SHARE",
    "LEAST_BLOCKS",
    "LEAST_S",
    "LEAST_SHARE",
    "LEAST_SHARED_S",
    "LEVEL",
    "RankRecord",
    "Roster",
    "gaps_s",
    "lags_s",
    "rosters_of",
]

BLOCKS = 20
"""Blocks of a case, where it has enough repetitions: of a rank that is often the first to leave, a
third may be left."""

DISTURBED = 3.0
"""A block that takes so many times what is usual is disturbed."""

LEAST_SHARE = 0.5
"""A lag of less than this share of the operation's time names nobody."""

LEAST_S = 5e-6
"""Nor a lag of less than this, in seconds."""

LEAST_SHARED_S = 50e-6
"""Nor one of less than this where ranks share cores: a switch between them takes a few us each."""

FIRST_SHARE = 3.0
"""A barrier that takes so many times what the operation takes delays nobody."""

LEAST_BLOCKS = 0.8
"""Share of the blocks that must agree: more than a rank that is disturbed half of the time has, and
fewer than all, for others that are disturbed hide a straggler's lag."""

LEVEL = 0.01
"""Probability of any false name where lags are no property of ranks."""

_LEAST_BLOCK = 5  # repetitions: fewer have no lower quartile
_QUARTILE = 0.25
_SYNCHRONISING = frozenset({"all_reduce", "all_to_all", "all_gather", "reduce_scatter", "barrier"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RankRecord:
    """How one rank did over all repetitions of a roster."""

    rank: int
    host: str
    last_to_arrive: float
    """Share of the repetitions in which it arrived last."""

    last_to_leave: float
    arrival_s: float
    """Median lag of its arrival behind the others, in seconds."""

    leaving_s: float
    duration_s: float
    """Median of its own duration, in seconds per operation."""

    straggles: str
    """``late``, ``slow`` (inside the operation), or ""."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """All ranks of one launch in one collective, its sizes pooled."""

    collective: str
    transport: str
    launch: int
    skew: str
    blocks: int
    """Blocks of time behind the verdict."""

    records: tuple[RankRecord, ...]

    @property
    def stragglers(self) -> tuple[RankRecord, ...]:
        """Those that are named."""
        return tuple(record for record in self.records if record.straggles)

    @property
    def least_blocks(self) -> int:
        """With fewer blocks than that nobody can be named, however late."""
        return math.ceil(math.log2(2 * len(self.records) / LEVEL))


def lags_s(stamps_ns: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how far each rank lies behind the median of the others; shape (repetition, rank).

    Parameters
    ----------
    stamps_ns : shape (repetition, rank), of at least two ranks
    """
    others = stamps_ns.shape[1] - 1
    ordered = np.sort(stamps_ns, axis=1)
    place = np.argsort(np.argsort(stamps_ns, axis=1, kind="stable"), axis=1, kind="stable")
    halves = [  # of the others: the rank itself is skipped
        np.take_along_axis(ordered, index + (place <= index), axis=1)
        for index in ((others - 1) // 2, others // 2)
    ]
    twice = (stamps_ns - halves[0]) + (stamps_ns - halves[1])
    return np.asarray(twice * 0.5e-9, np.float64)


def gaps_s(
    stamps_ns: NDArray[np.int64], before_ns: NDArray[np.int64] | None = None
) -> NDArray[np.float64]:
    """Return how long before each rank nobody came; shape (repetition, rank).

    Parameters
    ----------
    stamps_ns : shape (repetition, rank)
    before_ns : shape (repetition,): what the first is counted from; without it, its gap is NaN
    """
    order = np.argsort(stamps_ns, axis=1, kind="stable")
    ordered = np.take_along_axis(stamps_ns, order, axis=1)
    gaps = np.full(stamps_ns.shape, np.nan)
    gaps[:, 1:] = np.diff(ordered, axis=1) * 1e-9
    if before_ns is not None:
        gaps[:, 0] = (ordered[:, 0] - before_ns) * 1e-9
    placed = np.empty_like(gaps)
    np.put_along_axis(placed, order, gaps, axis=1)
    return placed


def rosters_of(campaign: Campaign) -> list[Roster]:
    """Return a roster per launch, collective and transport of two ranks or more."""
    groups: dict[tuple[int, str, str], list[Measurement]] = {}
    for found in campaign.measurements:
        case = found.case
        if meet(found):
            groups.setdefault((found.launch, case.collective, case.transport), []).append(found)
    return [_roster(campaign, members) for _, members in sorted(groups.items())]


def _roster(campaign: Campaign, members: list[Measurement]) -> Roster:
    first = members[0]
    launch = campaign.launch_of(first)
    arrival = [lags_s(found.sample.start_ns) for found in members]
    leaving = [lags_s(found.sample.stop_ns) for found in members]
    behind = arrival, leaving
    if "oversubscribed" in first.labels:
        barrier = launch.protocol.synchronisation == "barrier"
        barrier &= first.case.collective in _SYNCHRONISING
        behind = (
            [gaps_s(found.sample.start_ns, _ready_ns(found, barrier)) for found in members],
            [gaps_s(found.sample.stop_ns) for found in members],
        )
    late = _speaking(members, behind[0])
    slow = _speaking(members, behind[1])
    verdicts = _verdicts(late, slow)
    hosts = launch.environment.location.host
    came, left = np.concatenate(arrival), np.concatenate(leaving)
    lasted = np.concatenate([found.sample.local_s() for found in members])
    ranks = range(first.ranks)
    arrives = np.bincount(came.argmax(axis=1), minlength=len(ranks)) / len(came)
    leaves = np.bincount(left.argmax(axis=1), minlength=len(ranks)) / len(left)
    return Roster(
        collective=first.case.collective,
        transport=first.case.transport,
        launch=launch.number,
        skew=launch.protocol.skew,
        blocks=max(late[1]),
        records=tuple(
            RankRecord(
                rank=rank,
                host=hosts[rank] if rank < len(hosts) else "",
                last_to_arrive=float(arrives[rank]),
                last_to_leave=float(leaves[rank]),
                arrival_s=float(np.median(came[:, rank])),
                leaving_s=float(np.median(left[:, rank])),
                duration_s=float(np.median(lasted[:, rank])),
                straggles=verdicts[rank],
            )
            for rank in ranks
        ),
    )


def _speaking(
    members: list[Measurement], lags: list[NDArray[np.float64]]
) -> tuple[list[int], list[int]]:
    """Return how many blocks speak against each rank, and how many there are."""
    ranks = members[0].ranks
    against, blocks = [0] * ranks, [0] * ranks
    for found, lag in zip(members, lags, strict=True):
        usual_s = min(_usual_s(other.sample) for other in members if _no_less(other, found))
        least_s = _least_s(found, usual_s)
        lasted_s = found.sample.seconds("after_last_arrival") * found.sample.batch
        for rank in range(ranks):
            known = np.flatnonzero(~np.isnan(lag[:, rank]))
            count = min(BLOCKS, len(known) // _LEAST_BLOCK)
            for block in np.array_split(known, count) if count else ():
                if np.quantile(lasted_s[block], _QUARTILE) <= DISTURBED * usual_s:
                    against[rank] += bool(np.quantile(lag[block, rank], _QUARTILE) >= least_s)
                    blocks[rank] += 1
    return against, blocks


def _no_less(other: Measurement, found: Measurement) -> bool:
    """Whether another case of one roster does as much and more, so that it takes no less time."""
    return (
        other.case.algorithm == found.case.algorithm
        and other.case.message_bytes >= found.case.message_bytes
        and other.sample.batch >= found.sample.batch
    )


def _least_s(found: Measurement, usual_s: float) -> float:
    """The least lag of a case that speaks against a rank."""
    least_s = LEAST_SHARED_S if "oversubscribed" in found.labels else LEAST_S
    return max(LEAST_SHARE * usual_s, least_s, found.clock_error_ns * 1e-9)


def _usual_s(sample: Sample) -> float:
    return float(np.quantile(sample.seconds("after_last_arrival"), _QUARTILE)) * sample.batch


def _ready_ns(found: Measurement, barrier: bool) -> NDArray[np.int64] | None:
    """When the first rank may arrive at the latest, if a barrier lets it; shape (repetition,)."""
    if not barrier:
        return None
    start_ns, stop_ns = found.sample.start_ns, found.sample.stop_ns
    allowed_ns = np.int64(FIRST_SHARE * _usual_s(found.sample) * 1e9)
    return np.concatenate([start_ns[:1].min(axis=1), stop_ns[:-1].max(axis=1) + allowed_ns])


def _verdicts(late: tuple[list[int], list[int]], slow: tuple[list[int], list[int]]) -> list[str]:
    def named(against: int, blocks: int) -> bool:
        return against >= max(LEAST_BLOCKS * blocks, _needed(blocks, 2 * len(late[0])))

    came = [named(*counts) for counts in zip(*late, strict=True)]
    left = [named(*counts) for counts in zip(*slow, strict=True)]
    return [
        "late" if arrives else "slow" if leaves else ""
        for arrives, leaves in zip(came, left, strict=True)
    ]


def _needed(blocks: int, tests: int) -> float:
    """Return the least k with tests x P(Binomial(blocks, 1/2) >= k) <= LEVEL; else infinity."""
    allowed = LEVEL / tests * 2.0**blocks if blocks < 1000 else math.inf
    if math.isinf(allowed):  # LEAST_BLOCKS asks for far more
        return 0.0
    above = 0
    for k in range(blocks, -1, -1):
        above += math.comb(blocks, k)
        if above > allowed:
            return k + 1 if k < blocks else math.inf
    return 0.0
