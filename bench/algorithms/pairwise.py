"""All-to-all in P - 1 rounds: in round i, n / P bytes go to rank r + i and come from rank r - i.

    T = (P-1) a + n (P-1)/P b

n is what each rank sends in all, its own part included.

Source: Thakur, Rabenseifner and Gropp, "Optimization of collective communication operations in
MPICH", IJHPCA 19 (2005).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .schedule import RESULT, SCRATCH, Copy, swap

if TYPE_CHECKING:
    from .schedule import Group, Move, Range

__all__ = ["all_to_all", "block", "own_block"]


def all_to_all(group: Group) -> tuple[Move, ...]:
    """Return the moves of one rank."""
    source, moves = own_block(group)
    rounds = []
    for i in range(1, len(group.members)):
        to, of = group.place + i, group.place - i
        sent, received = block(group, source, to), block(group, group.result, of)
        rounds.append(swap(group.member(to), sent, group.member(of), received))
    return (*moves, *rounds)


def block(group: Group, held: Range, place: int) -> Range:
    """Return the part of `held` that is for, or of, the member at a place, counted around."""
    ranks = len(group.members)
    return held.chunks(place % ranks, place % ranks + 1, ranks)


def own_block(group: Group) -> tuple[Range, tuple[Move, ...]]:
    """Return where to send from, and the moves that keep what no message carries.

    In place, what is sent is copied away first: rounds overwrite blocks that later ones send.
    """
    if group.held.region == RESULT:
        saved = group.held.within(SCRATCH)
        return saved, (Copy(group.held, saved),)
    own, kept = (block(group, held, group.place) for held in (group.held, group.result))
    return group.held, (Copy(own, kept),)
