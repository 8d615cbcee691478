"""Checker: verification of one case on one rank, and what it has found so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .case import SIZELESS
from .pattern import EXACT, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .buffers import Buffers
    from .case import Case

__all__ = ["Checker", "findings"]


@dataclass(slots=True, kw_only=True)
class Checker:
    """Fills the buffers before an operation, looks at the result after it; not for a barrier."""

    case: Case
    buffers: Buffers
    rank: int
    ranks: int
    seed: int
    verdict: Verdict = EXACT
    """Of all checks until now."""

    def prepare(self) -> None:
        """Fill with known contents, so that an operation that writes nothing leaves all wrong."""
        if self.case.collective not in SIZELESS:
            self.buffers.prepare(self.case, self.rank, self.ranks, self.seed)

    def check(self) -> None:
        """Compare with what this rank must hold."""
        if self.case.collective not in SIZELESS:
            self.verdict += self.buffers.verify(self.case, self.rank, self.ranks, self.seed)


def findings(verdicts: Sequence[Verdict], block: slice) -> dict[str, Any]:
    """Return the fields of a Measurement that say what a block of all ranks, in order, found."""
    found: dict[str, Any] = {"wrong": sum(verdict.wrong for verdict in verdicts[block])}
    largest = max(verdict.ulps for verdict in verdicts[block])
    if largest:
        found["largest_ulps"] = largest
    for rank in range(len(verdicts))[block]:
        if verdicts[rank].wrong:
            return {**found, "first_wrong": verdicts[rank].first, "first_wrong_rank": rank}
    return found
