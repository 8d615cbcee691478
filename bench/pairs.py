"""Operations between two ranks of a launch: those two measure, the others sleep.

A tournament lets every rank meet every other one. By the circle method (Kirkman 1847) P ranks need
P - 1 rounds of P / 2 disjoint pairs, one more for odd P, where one rank pauses in each:

    P even   i meets j in round (i + j) P / 2 mod (P - 1), the last rank meets i in round i
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .case import PAIRS
from .clock import CommonClock
from .groups import wait_quietly
from .measure import Session, measure
from .mpi import load_mpi
from .transports.pair import open_pair

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .case import Case
    from .sample import Measurement

__all__ = ["measure_pairs", "round_of", "rounds_of"]


def round_of(first: int, second: int, ranks: int) -> int:
    """Return the round in which two ranks meet.

    >>> [round_of(i, j, 4) for i, j in ((0, 3), (1, 2), (1, 3), (0, 2), (2, 3), (0, 1))]
    [0, 0, 1, 1, 2, 2]
    """
    even = ranks + ranks % 2
    low, high = sorted((first, second))
    return low if high == even - 1 else (low + high) * (even // 2) % (even - 1)


def rounds_of(cases: Sequence[Case], ranks: int, *, together: bool) -> list[tuple[Case, ...]]:
    """Return the cases as they are measured: one by one, or a round of disjoint pairs at a time.

    Parameters
    ----------
    cases : of one launch
    ranks : of that launch
    together : whether the pairs of a round are measured at the same time
    """
    if not together:
        return [(case,) for case in cases]
    found: dict[tuple[Case, int], list[Case]] = {}
    for case in cases:
        if case.collective in PAIRS:
            alike = replace(case, root=0, peer=1), round_of(case.root, case.peer, ranks)
        else:
            alike = case, -1
        found.setdefault(alike, []).append(case)
    return [tuple(members) for members in found.values()]


def measure_pairs(cases: Sequence[Case], session: Session) -> list[Measurement]:
    """Measure operations of disjoint pairs of ranks at the same time. Collective.

    Parameters
    ----------
    cases : no two with a rank in common
    session : of all ranks; its labels hold for a pair, too: an MPI that gives its cores away while
        it waits does so wherever ranks crowd a host, asleep or not

    Returns
    -------
    list
        On rank 0 in the order of `cases`; empty elsewhere.
    """
    communicator = session.communicator
    own = next((c for c in cases if communicator.rank in {c.root, c.peer}), None)
    colour = load_mpi().UNDEFINED if own is None else list(cases).index(own)
    pair = communicator.Split(colour, int(own is not None and communicator.rank == own.peer))
    found = None
    if own is not None:
        found = measure(own, _session_of(pair, own, session, others=len(cases) > 1))
        if found is not None and found.first_wrong_rank is not None:
            found = replace(found, first_wrong_rank=found.members[found.first_wrong_rank])
        pair.Free()
    wait_quietly(communicator)
    gathered = communicator.gather(found) or []
    return sorted(
        (measurement for measurement in gathered if measurement is not None),
        key=lambda measurement: list(cases).index(measurement.case),
    )


def _session_of(pair: object, case: Case, session: Session, *, others: bool) -> Session:
    """The session of two ranks, with a clock of their own; whether other pairs measure, too."""
    hosts = [session.clock.hosts[rank] for rank in (case.root, case.peer)]
    clock = CommonClock(pair, hosts, session.clock.distort)
    if session.protocol.synchronisation == "window":
        clock.learn_drift()
    return replace(
        session,
        communicator=pair,
        transports={case.transport: open_pair(case.transport, pair, session.protocol.batch)},
        clock=clock,
        labels=(*session.labels, *(("pair_rounds",) if others else ())),
    )
