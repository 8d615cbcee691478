"""Fold: ranks beyond a power of two hand their vector to a neighbour, and get the result back.

Of the first 2 (P - Q) ranks, Q = 2^floor(lg P), the even ones send to the odd ones, so that Q are
left, at distances of 2 in front:

    T = 2 (a + n b) + n c, on top of what Q ranks take

Source: Thakur, Rabenseifner and Gropp, "Optimization of collective communication operations in
MPICH", Int. J. High Perform. Comput. Appl. 19 (2005).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .schedule import combine, landing, receive, send

if TYPE_CHECKING:
    from collections.abc import Callable

    from .schedule import Group, Move

__all__ = ["folded"]


def folded(group: Group, all_reduce: Callable[[Group], tuple[Move, ...]]) -> tuple[Move, ...]:
    """Return the moves of an all-reduce that knows powers of two only, for any number of ranks."""
    ranks, place = len(group.members), group.place
    left = 1 << (ranks.bit_length() - 1)
    front = 2 * (ranks - left)
    members = (*group.members[1:front:2], *group.members[front:])
    if place >= front:
        return all_reduce(replace(group, members=members, place=place - front // 2))
    if place % 2 == 0:
        neighbour = group.member(place + 1)
        return send(neighbour, group.held), receive(neighbour, group.result)
    neighbour = group.member(place - 1)
    inner = replace(group, members=members, place=place // 2, held=group.result)
    return (
        receive(neighbour, landing(group.held)),
        combine(group.held),
        *all_reduce(inner),
        send(neighbour, group.result),
    )
