"""Collective algorithms by name, one file each: pure functions from a rank's place to its moves.

A transport lowers the moves to steps of a call plan on its point-to-point functions. Formulas are
those of `collcast.analysis.models`, which the tests hold the moves to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import CaseError
from . import (
    binomial,
    bruck,
    linear,
    pairwise,
    rabenseifner,
    recursive_doubling,
    ring,
    two_level,
)
from .schedule import INPUT, RESULT, Exchange, Group, Move, Range

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["ALGORITHMS", "NAMED_TRANSPORTS", "NATIVE", "algorithms_of", "schedule"]

NATIVE = "native"
"""The library's own choice: no algorithm of ours."""

NAMED_TRANSPORTS = ("mpi", "staged")
"""Transports that can run an algorithm by name: those with point-to-point and a local reduction."""

ALGORITHMS: dict[str, dict[str, Callable[[Group], tuple[Move, ...]]]] = {
    "all_reduce": {
        "ring": ring.all_reduce,
        "recursive_doubling": recursive_doubling.all_reduce,
        "rabenseifner": rabenseifner.all_reduce,
        "binomial": binomial.all_reduce,
        "two_level": two_level.all_reduce,
    },
    "all_to_all": {
        "pairwise": pairwise.all_to_all,
        "bruck": bruck.all_to_all,
        "linear": linear.all_to_all,
    },
}
"""Collective -> name -> function."""


def algorithms_of(collective: str, transport: str = "mpi") -> tuple[str, ...]:
    """Return the names that a collective has over a transport, `NATIVE` first."""
    named = ALGORITHMS.get(collective, {}) if transport in NAMED_TRANSPORTS else {}
    return (NATIVE, *named)


def schedule(
    collective: str,
    algorithm: str,
    *,
    rank: int,
    ranks: int,
    elements: int,
    in_place: bool = False,
    nodes: Sequence[int] = (),
) -> tuple[Move, ...]:
    """Return what a rank does; moves of no elements are left out, on both sides of a message.

    Parameters
    ----------
    elements
        Of the message; a multiple of `ranks` in an all-to-all.
    nodes
        Number of each rank's node; empty where all share one.

    Raises
    ------
    CaseError
        If the collective has no such algorithm.
    """
    names = algorithms_of(collective)
    if algorithm == NATIVE or algorithm not in names:
        raise CaseError(
            f"algorithm: found {algorithm!r} for {collective}, expected one of "
            f"{', '.join(names[1:]) or 'none: it has native only'}"
        )
    group = Group(
        members=tuple(range(ranks)),
        place=rank,
        held=Range(RESULT if in_place else INPUT, 0, elements),
        nodes=tuple(nodes),
    )
    moves = (_trimmed(move) for move in ALGORITHMS[collective][algorithm](group))
    return tuple(move for move in moves if move is not None)


def _trimmed(move: Move) -> Move | None:
    """A move without its empty parts, None if nothing is left."""
    if not isinstance(move, Exchange):
        return move if move.source.count else None
    sends = tuple(part for part in move.sends if part[1].count)
    receives = tuple(part for part in move.receives if part[1].count)
    return Exchange(sends, receives) if sends or receives else None
