"""All-reduce on a ring: reduce-scatter, then all-gather, chunks of n / P passed to the next rank.

    T = 2 (P-1) a + 2 n (P-1)/P b + n (P-1)/P c

Step k of the first half sends chunk r - k and adds to chunk r - k - 1; chunk r + 1 is then
complete on rank r, and the second half passes complete chunks on.

Source: Patarasuk and Yuan, "Bandwidth optimal all-reduce algorithms for clusters of workstations",
J. Parallel Distrib. Comput. 69 (2009).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .schedule import RESULT, combine, landing, swap

if TYPE_CHECKING:
    from .schedule import Group, Move, Range

__all__ = ["all_gather", "all_reduce", "own_chunk", "reduce_scatter"]


def all_reduce(group: Group) -> tuple[Move, ...]:
    """Return the moves of one rank."""
    if len(group.members) == 1:
        return group.settle()
    return (*reduce_scatter(group), *all_gather(group))


def own_chunk(group: Group) -> Range:
    """Return the chunk that `reduce_scatter` completes on this rank."""
    return _chunk(group, group.place + 1).within(RESULT)


def reduce_scatter(group: Group) -> tuple[Move, ...]:
    """Return the moves after which `own_chunk` is complete."""
    moves: list[Move] = []
    for k in range(len(group.members) - 1):
        sent, held = (_chunk(group, group.place - k - i) for i in (0, 1))
        if k > 0:
            sent = sent.within(RESULT)
        before, after = (group.member(group.place + i) for i in (-1, 1))
        moves += [swap(after, sent, before, landing(held)), combine(held)]
    return tuple(moves)


def all_gather(group: Group) -> tuple[Move, ...]:
    """Return the moves that bring every rank's `own_chunk` to all."""
    before, after = (group.member(group.place + i) for i in (-1, 1))
    moves = []
    for k in range(len(group.members) - 1):
        sent, received = (_chunk(group, group.place + i - k).within(RESULT) for i in (1, 0))
        moves.append(swap(after, sent, before, received))
    return tuple(moves)


def _chunk(group: Group, number: int) -> Range:
    of = len(group.members)
    return group.held.chunks(number % of, number % of + 1, of)
