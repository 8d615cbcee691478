"""Layout: how ranks lie on a fabric, between contiguous and anywhere.

    demand = (1 - s) contiguous + s random          s the scatter, 0 to 1
    s = (f - f_c) / (f_r - f_c)

f is the share of neighbours r, r + 1 (around the ring) in different domains as a launch placed
them, f_c that of ranks lying domain after domain, f_r that of a random placement of as many. A
contiguous ring leaves every domain once; a random one takes nearly every step out of it and pays
the taper.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from ..bench.errors import CaseError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from ..bench.sample import Campaign
    from .models import Demand, Model

__all__ = ["LAYOUTS", "demand_at", "scatter_of"]

LAYOUTS = {"contiguous": 0.0, "random": 1.0}
"""Name -> scatter; ``measured`` takes that of a campaign."""


def demand_at(model: Model, ranks: int, sizes: Sequence[int], scatter: float) -> Demand:
    """Return a model's demand at a scatter from 0 to 1."""
    if scatter <= 0:
        return model.demand(ranks, sizes, "contiguous")
    random = model.demand(ranks, sizes, "random")
    if scatter >= 1:
        return random
    near = model.demand(ranks, sizes, "contiguous")

    def between(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
        return (1 - scatter) * one + scatter * other

    chunks = near.chunks
    if chunks is not None and random.chunks is not None:
        chunks = replace(
            chunks,
            fill=between(chunks.fill, random.chunks.fill),
            steps=between(chunks.steps, random.chunks.steps),
        )
    return replace(
        near,
        steps=between(near.steps, random.steps),
        bytes_per_byte=between(near.bytes_per_byte, random.bytes_per_byte),
        share=between(near.share, random.share),
        chunks=chunks,
    )


def scatter_of(campaign: Campaign) -> float:
    """Return the scatter of the launch with most ranks, at the outermost level that tells.

    Raises
    ------
    CaseError
        If no launch lay in several domains of several ranks.
    """
    for launch in sorted(campaign.launches, key=lambda one: -one.environment.ranks):
        location = launch.environment.location
        for names in (location.pod, location.leaf, location.nvlink_domain, location.host):
            found = _scatter(names)
            if found is not None:
                return found
    raise CaseError(
        "--layout measured: found no launch on several hosts with several ranks each, expected at "
        "least 1"
    )


def _scatter(names: Sequence[str]) -> float | None:
    """Return the scatter of ranks over named domains; None where these say nothing."""
    ranks, members = len(names), Counter(names)
    if "" in members or len(members) < 2 or len(members) == ranks:
        return None
    apart = sum(a != b for a, b in zip(names, (*names[1:], names[0]), strict=True)) / ranks
    contiguous = len(members) / ranks
    together = sum(count * (count - 1) for count in members.values())
    random = 1 - together / (ranks * (ranks - 1))
    if random <= contiguous:
        return None
    return min(1.0, max(0.0, (apart - contiguous) / (random - contiguous)))
