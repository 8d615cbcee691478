"""Sensitivity: the interval of a forecast as one assumed tier after the other is let vary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from ..conditional import Conditional
from ..fabrics import Figure
from ..workload import price_step
from .collective import LIBRARY

if TYPE_CHECKING:
    from ..fabrics import Fabric, Tier
    from ..workload import Workload

__all__ = ["Effect", "Sensitivity", "rank_effects", "widen"]

_BYTES = float(1 << 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """All-reduce of 1 MiB over all ranks, tiers outside of this one held at their values."""

    tier: str
    low_s: float
    high_s: float
    """Ends of the 90 % interval."""

    ratio: float
    """High over low."""


def widen(fabric: Fabric, ranks: int, draws: int, seed: int = 0) -> tuple[Sensitivity, ...]:
    """Return the interval with the innermost tier's figures drawn, then those of each further.

    What the models and a launch leave open is in each: the last is `Conditional`'s own.
    """
    found = []
    for last in range(len(fabric.tiers)):
        tiers = tuple(
            tier if place <= last else _held(tier) for place, tier in enumerate(fabric.tiers)
        )
        varied = msgspec.structs.replace(fabric, tiers=tiers)
        one = Conditional(
            collective="all_reduce", fabric=varied, draws=draws, seed=seed, transport=LIBRARY
        )
        low, high = one.at(ranks, [_BYTES])[0].times_s[3:]
        found.append(
            Sensitivity(
                tier=fabric.tiers[last].name, low_s=low, high_s=high,
                ratio=high / low,
            )
        )  # fmt: skip
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What one figure's range does to the time of a step, all others at their values."""

    figure: str
    ratio: float
    """Longest over shortest step between the figure's ends."""


def rank_effects(workload: Workload, fabric: Fabric, gpus: int) -> tuple[Effect, ...]:
    """Return the effects of every ranged figure of a workload, and of the outermost taper."""
    found = []
    for name, figure in workload.figures().items():
        if figure.low is None or figure.high is None:
            continue
        times = [
            price_step(
                msgspec.structs.replace(workload, **{name: _set(figure, end)}), fabric, gpus
            ).step_s[0]
            for end in (figure.low, figure.high)
        ]
        found.append(Effect(figure=name, ratio=float(max(times) / min(times))))
    outer = fabric.tiers[-1]
    taper = outer.oversubscription
    times = []
    for end in (taper.low or taper.value, taper.high or taper.value):
        tier = msgspec.structs.replace(outer, oversubscription=_set(taper, end))
        varied = msgspec.structs.replace(fabric, tiers=(*fabric.tiers[:-1], tier))
        times.append(price_step(workload, varied, gpus).step_s[0])
    found.append(
        Effect(figure=f"taper of the {outer.name} tier", ratio=float(max(times) / min(times)))
    )
    return tuple(sorted(found, key=lambda effect: -effect.ratio))


def _set(figure: Figure, value: float) -> Figure:
    return msgspec.structs.replace(figure, value=value, low=None, high=None)


def _held(tier: Tier) -> Tier:
    """Return a tier whose figures are exact."""
    values = {
        name: _exact(value) for name, value in msgspec.structs.asdict(tier).items()
        if isinstance(value, Figure)
    }  # fmt: skip
    efficiency = {pattern: _exact(figure) for pattern, figure in tier.efficiency.items()}
    return msgspec.structs.replace(tier, **values, efficiency=efficiency)


def _exact(figure: Figure) -> Figure:
    return msgspec.structs.replace(figure, low=None, high=None)
