"""Routing: what the scale of a job leaves of a tier's rate.

    w_t = max(1, taper_t share_t / eta_t) b_t / f_t       s/byte out of a domain into tier t

    hash      every domain hashes its flows over U = inner_t rate_t / (link rate x taper_t) links,
              q = share_t queue_pairs inner_t / U on each; the fullest link of all ceil(P / inner_t)
              domains paces the collective: eta = q / M(U, P / inner_t, q), see `efficiency`; f = 1
    measured  f = e(P) / e, e(P) between the tier's points on logarithms of ranks, held beyond the
              last; e the efficiency that is in b; eta = 1
    others    eta = f = 1

A contiguous ring sends one rank's flows over the links of a whole domain: they are never full, and
hashing costs it nothing. What everybody sends at once is paced by the fullest link, and by a fuller
one the more domains there are. The innermost tier of switches is reached over an endpoint's own
links, which nothing is hashed over.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from ..efficiency import efficiency

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..models import Costs
    from .fabric import Fabric, Pattern

__all__ = ["at_scale", "eta", "uplinks"]

_BITS = 8
_COLUMN: dict[Pattern, int] = {"exchange": 1, "all_to_all": 2}


def uplinks(fabric: Fabric, tier: int) -> int:
    """Return the links from one domain below into a tier; 0 where it is not reached by switches."""
    found = fabric.tiers[tier]
    if tier == 0 or not fabric.tiers[tier - 1].switch or found.link_rate is None:
        return 0
    per_endpoint = found.rate.value * _BITS / found.link_rate.value
    inner = fabric.sizes[tier - 1]
    return max(1, round(inner * per_endpoint / found.oversubscription.value))


def eta(fabric: Fabric, tier: int, share: float, ranks: int) -> float:
    """Return the share of a domain's uplinks into a tier that hashing leaves, 1 for none lost.

    Parameters
    ----------
    share
        Share of the domain's ranks that send out of it at once.
    ranks
        Of the whole job.
    """
    links = uplinks(fabric, tier)
    routing = fabric.tiers[tier].routing
    if routing.value != "hash" or not links or share <= 0:
        return 1.0
    inner = fabric.sizes[tier - 1]
    flows = share * routing.queue_pairs * inner / links
    return _hashed(links, max(1, ceil(ranks / inner)), flows)


_hashed = cache(lambda links, leaves, flows: efficiency("hash", links, leaves, flows))


def at_scale(
    costs: Costs,
    fabric: Fabric,
    pattern: Pattern,
    share: NDArray[np.float64],
    ranks: int,
    tiers: Sequence[int] = (),
) -> Costs:
    """Return the costs that a job of so many ranks meets.

    Parameters
    ----------
    costs
        Of some tiers of the fabric.
    share
        Share of a domain's ranks that send out of it at once, shape (tier,).
    tiers
        Which tiers these are; none means all.
    """
    used = tuple(tiers) or tuple(range(len(fabric.tiers)))
    kept = np.array(
        [eta(fabric, tier, float(part), ranks) for tier, part in zip(used, share, strict=True)]
    )
    left = np.array([_measured(fabric, tier, pattern, ranks) for tier in used])
    return replace(costs, taper=costs.taper / kept, beta_s_per_byte=costs.beta_s_per_byte / left)


def _measured(fabric: Fabric, tier: int, pattern: Pattern, ranks: int) -> float:
    """Return f."""
    found = fabric.tiers[tier]
    if not found.routing.points:
        return 1.0
    points = np.array(found.routing.points)
    at = np.interp(np.log(ranks), np.log(points[:, 0]), np.log(points[:, _COLUMN[pattern]]))
    return float(np.exp(at)) / found.efficiency[pattern].value
