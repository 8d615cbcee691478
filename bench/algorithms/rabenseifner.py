"""All-reduce after Rabenseifner: reduce-scatter by halving, all-gather by doubling.

    T = 2 lg P a + 2 n (P-1)/P b + n (P-1)/P c                P a power of two, else folded (`fold`)

Round k exchanges n / 2^(k+1) with rank r xor 2^k, so that the largest parts travel the shortest
way; the second half runs the rounds backwards.

Source: Rabenseifner, "Optimization of collective reduction operations", ICCS 2004; Thakur,
Rabenseifner and Gropp, IJHPCA 19 (2005).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .fold import folded
from .schedule import RESULT, combine, landing, swap

if TYPE_CHECKING:
    from .schedule import Group, Move

__all__ = ["all_reduce"]


def all_reduce(group: Group) -> tuple[Move, ...]:
    """Return the moves of one rank."""
    return folded(group, _powers_of_two)


def _powers_of_two(group: Group) -> tuple[Move, ...]:
    ranks = len(group.members)
    if ranks == 1:
        return group.settle()
    halving: list[Move] = []
    doubling: list[Move] = []
    low, high, held = 0, ranks, group.held
    for k in range(ranks.bit_length() - 1):
        partner, middle = group.members[group.place ^ 1 << k], (low + high) // 2
        lower, upper = held.chunks(low, middle, ranks), held.chunks(middle, high, ranks)
        keeps_upper = bool(group.place >> k & 1)
        kept, given = (upper, lower) if keeps_upper else (lower, upper)
        low, high = (middle, high) if keeps_upper else (low, middle)
        halving += [swap(partner, given, partner, landing(kept)), combine(kept)]
        doubling.append(swap(partner, kept.within(RESULT), partner, given.within(RESULT)))
        held = group.result
    return (*halving, *reversed(doubling))
