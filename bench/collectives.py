"""The collectives: how large their buffers are. One table, one row each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import CaseError

if TYPE_CHECKING:
    from .case import Case

__all__ = ["TABLE", "Collective", "check_divisible", "granule_bytes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Collective:
    """What the measuring code must know of one collective."""

    name: str
    reduces: bool
    """Whether elements are combined, so that dtype and operation matter."""

    per_peer: bool
    """Whether message_bytes is divided into one block per rank."""


TABLE = {
    collective.name: collective
    for collective in (
        Collective(name="all_reduce", reduces=True, per_peer=False),
        Collective(name="all_to_all", reduces=False, per_peer=True),
        Collective(name="barrier", reduces=False, per_peer=False),
    )
}
"""Every collective by name."""


def granule_bytes(case: Case, ranks: int) -> int:
    """Return the size that message_bytes must be a multiple of."""
    return case.element_bytes * (ranks if TABLE[case.collective].per_peer else 1)


def check_divisible(case: Case, ranks: int) -> None:
    """Refuse a message that cannot be divided among the ranks.

    Raises
    ------
    CaseError
        If message_bytes is no multiple of one element per peer.
    """
    granule = granule_bytes(case, ranks)
    if case.message_bytes % granule:
        raise CaseError(
            f"case.message_bytes: found {case.message_bytes} for {case.collective} on {ranks} "
            f"ranks, expected a multiple of {granule} (one {case.dtype} per peer)"
        )
