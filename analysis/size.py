"""Size: switches, links and optical ends of a fabric's folded Clos, and what they draw and cost.

    D_1 = n r_nic,  D_l = D_{l-1} / o_l         bandwidth of n endpoints into tier l, bit/s
    switches_l = ceil((D_l + D_{l+1}) / C_l)    per domain of tier l; D_{L+1} = 0
    links_l = D_l / link_rate_l                 below tier l; 2 ends each where optical

With one kind of switch and no oversubscription these are (2L-1) (k/2)^(L-1) switches for 2 (k/2)^L
endpoints, whatever the planes. Published tables that this gives: DeepSeek, ISCA 2025, Table 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from ..bench.errors import FabricError
from .fabrics.clos import capacity_bits_per_s, limits, network_tiers

if TYPE_CHECKING:
    from .fabrics import Fabric, Figure, Tier

__all__ = ["Range", "Size", "TierSize", "measure_size", "range_of"]

_SLACK = 1e-3  # of a switch: ratios such as 1.067 are rounded


@dataclass(frozen=True, slots=True)
class Range:
    """A value and the ends within which it lies, in the unit of its figure."""

    value: float
    low: float
    high: float

    def scaled(self, factor: float) -> Range:
        """Return it times a number >= 0."""
        return Range(self.value * factor, self.low * factor, self.high * factor)

    def plus(self, other: Range) -> Range:
        """Return the sum, ends added to ends: wider than independent parts would be."""
        return Range(self.value + other.value, self.low + other.low, self.high + other.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class TierSize:
    """One tier of switches."""

    name: str
    domains: int
    switches: int
    links: int
    """From below: of the innermost tier those to endpoints, one per plane."""

    optical_ends: int
    switch_power_w: Range
    optic_power_w: Range
    cost_usd: Range


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A fabric's network for so many endpoints."""

    endpoints: int
    tiers: tuple[TierSize, ...]

    @property
    def switches(self) -> int:
        """All switches."""
        return sum(tier.switches for tier in self.tiers)

    @property
    def links(self) -> int:
        """Links between switches."""
        return sum(tier.links for tier in self.tiers[1:])

    @property
    def optical_ends(self) -> int:
        """Transceivers, or as many ends of co-packaged optics."""
        return sum(tier.optical_ends for tier in self.tiers)

    @property
    def power_w(self) -> Range:
        """Switches and optics."""
        total = Range(0, 0, 0)
        for tier in self.tiers:
            total = total.plus(tier.switch_power_w).plus(tier.optic_power_w)
        return total

    @property
    def cost_usd(self) -> Range:
        """Switches and optics; NICs and copper are not in it."""
        total = Range(0, 0, 0)
        for tier in self.tiers:
            total = total.plus(tier.cost_usd)
        return total


def range_of(figure: Figure) -> Range:
    """Return a figure's value and ends; an exact figure's ends are its value."""
    low = figure.value if figure.low is None else figure.low
    return Range(figure.value, low, figure.value if figure.high is None else figure.high)


def measure_size(fabric: Fabric, endpoints: int | None = None) -> Size:
    """Return the network of a fabric, or of its first `endpoints` endpoints.

    Raises
    ------
    FabricError
        If it has no network, or its switches cannot hold so many.
    """
    if fabric.network is None:
        raise FabricError(f"{fabric.name}.network: found none, expected one")
    count = round(fabric.endpoints.value) if endpoints is None else endpoints
    tiers = network_tiers(fabric)
    most = limits(fabric)[tiers[-1].name]
    if not 1 <= count <= most:
        raise FabricError(
            f"endpoints: found {count:,}, expected 1 to {most:,}, the most that {fabric.name} holds"
        )
    into = [count * fabric.network.nic_rate.value]
    for tier in tiers[1:]:
        into.append(into[-1] / tier.oversubscription.value)
    return Size(
        endpoints=count,
        tiers=tuple(
            _tier_size(fabric, tier, count, down, up)
            for tier, down, up in zip(tiers, into, [*into[1:], 0.0], strict=True)
        ),
    )


def _tier_size(fabric: Fabric, tier: Tier, count: int, down: float, up: float) -> TierSize:
    assert fabric.network is not None, "asked for the size of a fabric without a network"
    assert tier.link_rate is not None, "checked at loading"
    assert tier.optical_ends is not None, "checked at loading"
    switch = fabric.switches[tier.switch]
    whole, rest = divmod(count, min(count, round(tier.size.value)))
    per_endpoint = (down + up) / count / capacity_bits_per_s(fabric, tier)

    def needed(endpoints: int) -> int:
        return ceil(endpoints * per_endpoint - _SLACK)

    switches = whole * needed(count if not rest and whole == 1 else round(tier.size.value))
    switches += needed(rest)
    links = round(down / tier.link_rate.value)
    ends = round(links * tier.optical_ends.value)
    optics_usd = range_of(fabric.network.optic_price).scaled(
        ends * tier.link_rate.value / fabric.network.nic_rate.value
    )
    return TierSize(
        name=tier.name,
        domains=whole + bool(rest),
        switches=switches,
        links=links,
        optical_ends=ends,
        switch_power_w=range_of(switch.power).scaled(switches),
        optic_power_w=range_of(fabric.network.optic_energy).scaled(ends * tier.link_rate.value),
        cost_usd=range_of(switch.price).scaled(switches).plus(optics_usd),
    )
