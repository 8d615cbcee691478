"""All-to-all after Bruck, radix 2: in round k, every block whose index has bit k goes 2^k ranks on.

    T = ceil(lg P) a + (n/2) lg P b        blocks counted exactly where P is no power of two

Before, blocks are rotated so that block i is the one for rank r + i; after, block i is the one from
rank r - i and goes to its place. Blocks of a round are packed together: about 2 n + n lg P bytes
are copied on the rank, which the formula leaves out.

Source: Bruck, Ho, Kipnis, Upfal and Weathersby, "Efficient algorithms for all-to-all communications
in multiport message-passing systems", IEEE TPDS 8 (1997).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .pairwise import block
from .schedule import RESULT, SCRATCH, Copy, Range, swap

if TYPE_CHECKING:
    from .schedule import Group, Move

__all__ = ["all_to_all"]


def all_to_all(group: Group) -> tuple[Move, ...]:
    """Return the moves of one rank."""
    ranks, place = len(group.members), group.place
    if ranks == 1:
        return group.settle()
    work = group.held.within(SCRATCH)
    moves: list[Move] = [
        Copy(group.held.chunks(place, ranks, ranks), work.chunks(0, ranks - place, ranks)),
        Copy(group.held.chunks(0, place, ranks), work.chunks(ranks - place, ranks, ranks)),
    ]
    for k in range((ranks - 1).bit_length()):
        distance = 1 << k
        runs = [
            work.chunks(first, min(first + distance, ranks), ranks)
            for first in range(distance, ranks, 2 * distance)
        ]
        sent, received = (_packed(runs, half) for half in (0, 1))
        to, of = group.member(place + distance), group.member(place - distance)
        moves += [Copy(run, packed) for run, packed in zip(runs, sent, strict=True)]
        moves.append(swap(to, _whole(sent), of, _whole(received)))
        moves += [Copy(packed, run) for run, packed in zip(runs, received, strict=True)]
    back = (
        Copy(work.chunks(i, i + 1, ranks), block(group, group.result, place - i))
        for i in range(ranks)
    )
    return (*moves, *back)


def _packed(runs: list[Range], half: int) -> list[Range]:
    """The runs one behind the other in the result, which is free until the end.

    No round sends more than half of the blocks: there is room for those of both ways.
    """
    first, packed = half * sum(run.count for run in runs), []
    for run in runs:
        packed.append(Range(RESULT, first, run.count))
        first += run.count
    return packed


def _whole(ranges: list[Range]) -> Range:
    return Range(ranges[0].region, ranges[0].first, sum(part.count for part in ranges))
