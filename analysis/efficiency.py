"""Efficiency: what routing leaves of a tier's rate, as a function of its size.

Every leaf spreads its flows over `uplinks` links, q of them per link on average. A collective waits
for the fullest link of all, so the share of the rate that remains is

    eta = q / M,    M the median of the greatest load over uplinks x leaves links

    hash(q)   loads are those of balls thrown into bins, nearly Poisson(q) and independent:
              M = least m with F(m; q)^(uplinks leaves) >= 1/2
    pinned    every flow has a link of its own: eta = 1
    spray     packets take all links in turn: eta = 1

eta falls with the number of leaves although no link carries more on average.

Source: Raab and Steger, "Balls into bins, a simple and tight analysis", RANDOM '98.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..bench.errors import CaseError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ROUTINGS", "Routing", "efficiency", "simulate_loads"]

Routing = Literal["hash", "pinned", "spray"]
ROUTINGS: tuple[Routing, ...] = ("hash", "pinned", "spray")
"""Routing classes."""


def efficiency(
    routing: Routing, uplinks: int, leaves: int = 1, flows_per_uplink: float = 1.0
) -> float:
    """Return the share of a tier's rate that a collective over so many leaves gets.

    Raises
    ------
    CaseError
        If a number is below 1, there are no flows, or the routing is not one of `ROUTINGS`.
    """
    from scipy.stats import poisson

    if routing not in ROUTINGS:
        raise CaseError(f"routing: found {routing!r}, expected one of {', '.join(ROUTINGS)}")
    if min(uplinks, leaves) < 1 or not flows_per_uplink > 0:
        raise CaseError("uplinks and leaves: expected at least 1 of each; flows per uplink: > 0")
    if routing != "hash":
        return 1.0
    # F^(links) >= 1/2 on logarithms: with a million links F lies within 1e-6 of 1.
    exceed = -math.expm1(-math.log(2) / (uplinks * leaves))
    fullest = max(1.0, float(poisson.isf(exceed, flows_per_uplink)))
    return flows_per_uplink / fullest


def simulate_loads(
    uplinks: int, leaves: int, flows_per_uplink: int, draws: int, seed: int = 0
) -> NDArray[np.int64]:
    """Return the fullest link's flows in simulated throws, shape (draw,)."""
    generator = np.random.default_rng(seed)
    flows = flows_per_uplink * uplinks
    share = np.full(uplinks, 1 / uplinks)
    return np.array([generator.multinomial(flows, share, leaves).max() for _ in range(draws)])
