"""Collectives over all GPUs of a job, priced as NCCL's: what a user of the site would see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..conditional import Conditional

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..fabrics import Fabric

__all__ = ["LIBRARY", "Priced", "price_collectives"]

LIBRARY = "nccl"
"""Whose algorithms GPUs of a site use."""

_COLLECTIVES = ("all_reduce", "all_to_all", "all_gather", "reduce_scatter")
_SIZES = (1 << 20, 1 << 30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """One collective of one size over so many GPUs."""

    collective: str
    message_bytes: int
    gpus: int
    fastest: str
    """NCCL's algorithm that is fastest in most draws."""

    time_s: float
    low_s: float
    high_s: float
    """Ends of the 90 % interval."""

    realisable: bool
    """Whether each GPU has an element of 4 bytes for each; where not, the time is formula only."""


def price_collectives(
    fabric: Fabric, gpus: Sequence[int], draws: int, seed: int = 0
) -> tuple[Priced, ...]:
    """Return what the collectives cost over each number of GPUs."""
    found = []
    for collective in _COLLECTIVES:
        one = Conditional(
            collective=collective, fabric=fabric, draws=draws, seed=seed, transport=LIBRARY
        )
        outcomes = {count: one.at(count, _SIZES) for count in gpus}
        found += [
            Priced(
                collective=collective,
                message_bytes=size,
                gpus=count,
                fastest=outcomes[count][j].fastest,
                time_s=outcomes[count][j].times_s[0],
                low_s=outcomes[count][j].times_s[3],
                high_s=outcomes[count][j].times_s[4],
                realisable=collective == "all_reduce" or size >= 4 * count,
            )
            for j, size in enumerate(_SIZES)
            for count in gpus
        ]
    return tuple(found)
