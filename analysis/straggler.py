"""Stragglers: ranks that keep the others waiting, told from the noise of a machine.

With start s and stop e of rank r in repetition i, two lags behind the others of that repetition:

    arrival_r = s_r - median over r' != r of s_r'      the rank comes late
    leaving_r = e_r - median over r' != r of e_r'      it leaves late: slow inside the operation

The repetitions of a case are cut into `BLOCKS` contiguous blocks of time. A block speaks against a
rank if the lower quartile of its lag there is at least

    max(`LEAST_SHARE` x the case's usual time after the last arrival, `LEAST_S`, clock error)

A straggler lags in its best quarter, too; a rank that the machine disturbs lags now and then. Were
lags no property of the rank, a block would speak against it with probability 1/2 at most, for only
half of the ranks lie behind the median. Named is a rank with

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

from ..bench.case import PAIRS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..bench.sample import Campaign, Measurement, Sample

__all__ = [
    "BLOCKS",
    "LEAST_BLOCKS",
    "LEAST_S",
    "LEAST_SHARE",
    "LEVEL",
    "RankRecord",
    "Roster",
    "lags_s",
    "rosters_of",
]

BLOCKS = 10
"""Blocks of a case, where it has enough repetitions."""

LEAST_SHARE = 0.5
"""A lag of less than this share of the operation's time names nobody."""

LEAST_S = 5e-6
"""Nor a lag of less than this, in seconds."""

LEAST_BLOCKS = 0.9
"""Share of the blocks that must agree."""

LEVEL = 0.01
"""Probability of any false name where lags are no property of ranks."""

_LEAST_BLOCK = 5  # repetitions: fewer have no lower quartile
_QUARTILE = 0.25


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


def rosters_of(campaign: Campaign) -> list[Roster]:
    """Return a roster per launch, collective and transport of two ranks or more."""
    groups: dict[tuple[int, str, str], list[Measurement]] = {}
    for found in campaign.measurements:
        case = found.case
        if found.ranks > 1 and found.sample.repetitions and case.collective not in PAIRS:
            groups.setdefault((found.launch, case.collective, case.transport), []).append(found)
    return [_roster(campaign, members) for _, members in sorted(groups.items())]


def _roster(campaign: Campaign, members: list[Measurement]) -> Roster:
    first = members[0]
    launch = campaign.launch_of(first)
    arrival = [lags_s(found.sample.start_ns) for found in members]
    leaving = [lags_s(found.sample.stop_ns) for found in members]
    late, blocks = _speaking(members, arrival)
    slow, _ = _speaking(members, leaving)
    verdicts = _verdicts(late, slow, blocks)
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
        blocks=blocks,
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
) -> tuple[NDArray[np.int64], int]:
    """Return how many blocks speak against each rank, shape (rank,), and how many there are."""
    against = np.zeros(members[0].ranks, np.int64)
    blocks = 0
    for found, lag in zip(members, lags, strict=True):
        least_s = _least_s(found.sample, found.clock_error_ns * 1e-9)
        count = min(BLOCKS, len(lag) // _LEAST_BLOCK)
        for block in np.array_split(lag, count) if count else ():
            against += np.quantile(block, _QUARTILE, axis=0) >= least_s
        blocks += count
    return against, blocks


def _least_s(sample: Sample, clock_error_s: float) -> float:
    usual_s = float(np.median(sample.seconds("after_last_arrival"))) * sample.batch
    return max(LEAST_SHARE * usual_s, LEAST_S, clock_error_s)


def _verdicts(late: NDArray[np.int64], slow: NDArray[np.int64], blocks: int) -> list[str]:
    tests = 2 * len(late)
    needed = max(LEAST_BLOCKS * blocks, _needed(blocks, tests))
    return [
        "late" if came >= needed else "slow" if left >= needed else ""
        for came, left in zip(late.tolist(), slow.tolist(), strict=True)
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
