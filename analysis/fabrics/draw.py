"""Draw the costs of a fabric's tiers from the ranges of its figures.

    x = value (high / value)^(z / 1.645)   z >= 0        z standard normal: low and high are the
    x = value (value / low)^(z / 1.645)    z <  0        5 % and 95 % quantiles, value the median
    alpha = latency + cable propagation
    beta  = 1 / (efficiency rate)

One value per figure and draw, shared by all sizes, ranks and collectives: what is not known about
a tier does not average out over messages. The efficiencies of a tier are two figures, one per
pattern. A figure that does not vary keeps its place in the sequence: the others are drawn alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..models import Costs
from .fabric import STATUSES

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from numpy.typing import NDArray

    from .fabric import Fabric, Figure, Pattern, Tier

__all__ = ["FROM_DATA", "draw_costs", "spread"]

FROM_DATA = frozenset({"measured", "fitted"})
"""Statuses of figures that a campaign gave; the ranges of all others are assumed."""

_Z_95 = 1.6449  # 95 % quantile of the standard normal distribution


def draw_costs(
    fabric: Fabric,
    pattern: Pattern,
    draws: int,
    seed: int = 0,
    varying: Container[str] = STATUSES,
) -> Costs:
    """Return draws of the costs that a pattern meets.

    Parameters
    ----------
    draws
        How many; 0 gives the central values, once.
    varying
        Statuses of the figures whose ranges count; others keep their values.
    """
    generator = np.random.default_rng(seed)
    number = max(draws, 1)

    def value(figure: Figure) -> NDArray[np.float64]:
        z = generator.standard_normal(number) if draws else np.zeros(1)
        return spread(figure, z if figure.status in varying else np.zeros(number))

    propagation = value(fabric.propagation)
    overhead, reduction = value(fabric.overhead), value(fabric.reduction_rate)
    drawn = [_tier(tier, pattern, value, propagation) for tier in fabric.tiers]
    return Costs(
        overhead_s=overhead,
        gamma_s_per_byte=1 / reduction,
        alpha_s=np.stack([alpha for alpha, _, _ in drawn], axis=1),
        beta_s_per_byte=np.stack([beta for _, beta, _ in drawn], axis=1),
        taper=np.stack([taper for _, _, taper in drawn], axis=1),
    )


def _tier(
    tier: Tier,
    pattern: Pattern,
    value: Callable[[Figure], NDArray[np.float64]],
    propagation: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    drawn = {name: value(tier.efficiency[name]) for name in sorted(tier.efficiency)}
    efficiency = np.minimum(drawn[pattern], 1.0)
    alpha = value(tier.latency) + value(tier.cable) * propagation
    taper = np.maximum(value(tier.oversubscription), 1.0)
    return alpha, 1 / (efficiency * value(tier.rate)), taper


def spread(figure: Figure, z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the figure at standard normal z: its value where z = 0."""
    if figure.low is None or figure.high is None:
        return np.full(len(z), figure.value)
    base = np.where(z >= 0, figure.high / figure.value, figure.value / figure.low)
    found: NDArray[np.float64] = figure.value * base ** (z / _Z_95)
    return found
