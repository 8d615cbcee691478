"""All-reduce on a binomial tree: reduce to the first rank, then broadcast along the same tree.

    T = 2 ceil(lg P) (a + n b) + ceil(lg P) n c

Rank r's parent is r without its lowest bit; children are served nearest first on the way up and
farthest first on the way down.

Source: Thakur, Rabenseifner and Gropp, "Optimization of collective communication operations in
MPICH", Int. J. High Perform. Comput. Appl. 19 (2005).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .schedule import combine, landing, receive, send

if TYPE_CHECKING:
    from .schedule import Group, Move

__all__ = ["all_reduce"]


def all_reduce(group: Group) -> tuple[Move, ...]:
    """Return the moves of one rank."""
    ranks, place = len(group.members), group.place
    if ranks == 1:
        return group.settle()
    reach = place & -place or 1 << (ranks - 1).bit_length()  # distance to the parent
    distances = [1 << k for k in range(reach.bit_length() - 1)]
    children = [group.members[place + d] for d in distances if place + d < ranks]
    moves: list[Move] = []
    held = group.held
    for child in children:
        moves += [receive(child, landing(held)), combine(held)]
        held = group.result
    if place:
        parent = group.members[place - reach]
        moves += [send(parent, held), receive(parent, group.result)]
    return (*moves, *(send(child, group.result) for child in reversed(children)))
