"""Folded-Clos arithmetic: what a switch's ports can hold, tier by tier.

    d_l = (C / (1 + 1 / o_{l+1})) / r_l      ports down of a switch of tier l; d_L = C / r_L on top
    limit_l = rail_planes prod_{j <= l} d_j  endpoints below one domain of tier l

C is the switch's capacity, r_l the rate of a link from below, o_{l+1} the oversubscription of the
links upwards. For one kind of switch of k ports, o = 1, this is 2 (k/2)^L at the top (SemiAnalysis
on co-packaged optics; InfraGraph's blueprints give the same). Rails spread the NICs of a node over
so many leaves: the lowest domain grows with them, the limits above do not.
"""

from __future__ import annotations

from math import floor
from typing import TYPE_CHECKING

from ...bench.errors import FabricError

if TYPE_CHECKING:
    from .fabric import Fabric, Tier

__all__ = ["capacity_bits_per_s", "check_ports", "limits", "network_tiers"]

_SLACK = 1e-6  # ratios such as 1.067 are rounded


def network_tiers(fabric: Fabric) -> tuple[Tier, ...]:
    """Return the tiers that are made of switches, innermost first."""
    return tuple(tier for tier in fabric.tiers if tier.switch)


def capacity_bits_per_s(fabric: Fabric, tier: Tier) -> float:
    """Return the capacity of a tier's switch, one direction, in bit/s."""
    switch = fabric.switches[tier.switch]
    return switch.ports.value * switch.port_rate.value


def limits(fabric: Fabric) -> dict[str, int]:
    """Return the most endpoints below one domain of every tier made of switches."""
    assert fabric.network is not None, "asked for the ports of a fabric without a network"
    tiers = network_tiers(fabric)
    found: dict[str, int] = {}
    below = fabric.network.rail_planes.value
    for place, tier in enumerate(tiers):
        assert tier.link_rate is not None, "checked at loading"
        capacity = capacity_bits_per_s(fabric, tier)
        if place + 1 < len(tiers):
            capacity /= 1 + 1 / tiers[place + 1].oversubscription.value
        below *= floor(capacity / tier.link_rate.value * (1 + _SLACK))
        found[tier.name] = round(below)
    if tiers:
        found[tiers[0].name] *= round(fabric.network.rails.value)
    return found


def check_ports(fabric: Fabric) -> None:
    """Refuse tiers that hold more endpoints than their switches have ports for.

    Raises
    ------
    FabricError
        Naming the tier, its size and the limit.
    """
    for tier in network_tiers(fabric):
        most = limits(fabric)[tier.name]
        needed = min(tier.size.value, fabric.endpoints.value)
        if needed > most:
            switch = fabric.switches[tier.switch]
            raise FabricError(
                f"{tier.name}.size: found {needed:g} endpoints, expected at most {most:,}, which "
                f"switches of {switch.ports.value:g} x {switch.port_rate.value / 1e9:g} Gbit/s hold"
            )
