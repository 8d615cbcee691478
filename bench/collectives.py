"""The collectives: how large their buffers are. One table, one row each.

message_bytes is the nccl-tests "size". P ranks; one block is message_bytes / P.

    all_reduce      every rank sends and receives the message
    all_to_all      one block to and from every rank
    all_to_allv     as much to every rank as `counts` says; the message is all that a rank sends
    all_gather      one block to all, the message from all
    reduce_scatter  the message to all, one block of the result
    broadcast       the message from the root; out of place, the root's stays in its send buffer
    send_recv       the message to the next rank and from the one before, around the ring
    ping_pong, unidirectional, bidirectional    the message between two ranks; transports/pair.py
    copy            the message from the send to the receive buffer, on every rank for itself
    barrier, noise  no message
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import CaseError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .case import Case

__all__ = [
    "TABLE",
    "Collective",
    "check_divisible",
    "granule_bytes",
    "receive_elements",
    "region_bytes",
    "send_elements",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Collective:
    """What the measuring code must know of one collective."""

    name: str
    reduces: bool = False
    """Whether elements are combined, so that dtype and operation matter."""

    sends_block: bool = False
    """Whether a rank sends one block rather than the message."""

    receives_block: bool = False
    """Whether a rank receives one block rather than the message."""

    blocks: bool = False
    """Whether message_bytes is divided into one block per rank."""

    messages: int = 1
    """Messages one behind the other in an operation; a time is that of one."""


TABLE = {
    collective.name: collective
    for collective in (
        Collective(name="all_reduce", reduces=True),
        Collective(name="all_to_all", blocks=True),
        Collective(name="all_to_allv", blocks=True),
        Collective(name="all_gather", sends_block=True, blocks=True),
        Collective(name="reduce_scatter", reduces=True, receives_block=True, blocks=True),
        Collective(name="broadcast"),
        Collective(name="send_recv"),
        Collective(name="ping_pong", messages=2),
        Collective(name="unidirectional"),
        Collective(name="bidirectional"),
        Collective(name="barrier"),
        Collective(name="copy"),
        Collective(name="noise"),
    )
}
"""Every collective by name."""


def send_elements(case: Case, ranks: int, rank: int) -> int:
    """Return how many elements a rank sends."""
    if case.collective == "all_to_allv":
        return int(_counts(case, ranks)[rank].sum())
    return case.elements // (ranks if TABLE[case.collective].sends_block else 1)


def receive_elements(case: Case, ranks: int, rank: int) -> int:
    """Return how many elements a rank receives."""
    if case.collective == "all_to_allv":
        return int(_counts(case, ranks)[:, rank].sum())
    return case.elements // (ranks if TABLE[case.collective].receives_block else 1)


def region_bytes(case: Case, ranks: int) -> int:
    """Return the size of the larger buffer of a case, on the rank where it is largest."""
    if case.collective != "all_to_allv":
        return case.message_bytes
    counts = _counts(case, ranks)
    return int(max(counts.sum(0).max(), counts.sum(1).max())) * case.element_bytes


def granule_bytes(case: Case, ranks: int) -> int:
    """Return the size that message_bytes must be a multiple of."""
    return case.element_bytes * (ranks if TABLE[case.collective].blocks else 1)


def check_divisible(case: Case, ranks: int) -> None:
    """Refuse a message that cannot be divided among the ranks, or a root or peer that is no rank.

    Raises
    ------
    CaseError
        If message_bytes is no multiple of one element per peer, or root or peer is not below ranks.
    """
    granule = granule_bytes(case, ranks)
    if case.message_bytes % granule:
        raise CaseError(
            f"case.message_bytes: found {case.message_bytes} for {case.collective} on {ranks} "
            f"ranks, expected a multiple of {granule} (one {case.dtype} per peer)"
        )
    if case.collective == "all_to_allv":
        _counts(case, ranks)  # refuses a matrix of another number of ranks
    for name in ("root", "peer"):
        found = getattr(case, name)
        if found >= ranks:
            raise CaseError(f"case.{name}: found {found} on {ranks} ranks, expected less than that")


def _counts(case: Case, ranks: int) -> NDArray[np.int64]:
    from .counts import counts_of  # NumPy, which the command line's help does not need

    return counts_of(case, ranks)
