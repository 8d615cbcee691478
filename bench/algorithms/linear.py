"""All-to-all at once: P - 1 sends and receives are posted, and waited for together.

    T = (P-1) a + n (P-1)/P b

The bytes and messages of `pairwise`; a library may let them overlap, and a network may suffer.

Source: Thakur, Rabenseifner and Gropp, "Optimization of collective communication operations in
MPICH", IJHPCA 19 (2005) (its algorithm for messages of middle size).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .pairwise import block, own_block
from .schedule import Exchange

if TYPE_CHECKING:
    from .schedule import Group, Move

__all__ = ["all_to_all"]


def all_to_all(group: Group) -> tuple[Move, ...]:
    """Return the moves of one rank."""
    source, moves = own_block(group)
    to = [group.place + i for i in range(1, len(group.members))]
    of = [group.place - i for i in range(1, len(group.members))]
    together = Exchange(
        tuple((group.member(i), block(group, source, i)) for i in to),
        tuple((group.member(i), block(group, group.result, i)) for i in of),
    )
    return (*moves, together)
