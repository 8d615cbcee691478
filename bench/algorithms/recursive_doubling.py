"""All-reduce by recursive doubling: in round k, whole vectors are exchanged with rank r xor 2^k.

    T = lg P (a + n b + n c)                   P a power of two, else folded (`fold`)

Source: Thakur, Rabenseifner and Gropp, "Optimization of collective communication operations in
MPICH", Int. J. High Perform. Comput. Appl. 19 (2005).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .fold import folded
from .schedule import combine, landing, swap

if TYPE_CHECKING:
    from .schedule import Group, Move

__all__ = ["all_reduce"]


def all_reduce(group: Group) -> tuple[Move, ...]:
    """Return the moves of one rank."""
    return folded(group, _powers_of_two)


def _powers_of_two(group: Group) -> tuple[Move, ...]:
    if len(group.members) == 1:
        return group.settle()
    moves: list[Move] = []
    held = group.held
    for k in range(len(group.members).bit_length() - 1):
        partner = group.members[group.place ^ 1 << k]
        moves += [swap(partner, held, partner, landing(held)), combine(held)]
        held = group.result
    return tuple(moves)
