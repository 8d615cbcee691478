"""Fabric, Tier and Figure: the shape of a fabric file, as immutable values.

Every number of a fabric is a `Figure`: value, unit, source, status, date, and, where it is not
exact, the range in which it lies with 90 % probability. What is no number but a choice (routing,
in-network reduction) is a `Trait` with the same origin. Rules that concern several fields are in
``check``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "SCHEMA",
    "STATUSES",
    "Cost",
    "Fabric",
    "Failure",
    "Figure",
    "Network",
    "Pattern",
    "Power",
    "Routing",
    "Switch",
    "Tier",
    "Trait",
]

Pattern = Literal["exchange", "all_to_all"]
"""Traffic whose efficiency differs: one partner at a time, or everybody."""

Status = Literal["primary", "secondary", "derived", "assumed", "measured", "fitted"]

SCHEMA = 1
"""Major version of the file's shape; files of another are refused."""

STATUSES = ("primary", "secondary", "derived", "assumed", "measured", "fitted")
"""Text of the maker or operator; somebody's report; computed from other figures; none of these;
and, of a machine that a campaign was run on: read off it, fitted to its times."""


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A section of the file."""


class Figure(_Part, frozen=True, kw_only=True):
    """One number and where it comes from."""

    value: float
    unit: str
    source: str
    status: Status
    date: str
    """When the source said so: YYYY, YYYY-MM or YYYY-MM-DD."""

    low: float | None = None
    """5 % quantile of what the figure may be, judged; None, with `high`, for an exact figure."""

    high: float | None = None
    """95 % quantile."""

    formula: str | None = None
    """How a derived figure follows from others, such as ``pod.latency + 2 * hop_latency``."""


class Trait(_Part, frozen=True, kw_only=True):
    """One choice of the design and where it is known from."""

    value: str
    source: str
    status: Status
    date: str


class Routing(_Part, frozen=True, kw_only=True):
    """How flows share the links of a tier."""

    value: Literal["single", "hash", "pinned", "spray", "measured"]
    """One path only; each flow hashed to a path; each flow placed by hand; packets over all; or
    not known, but its efficiency was measured at several scales."""

    source: str
    status: Status
    date: str
    queue_pairs: int = 1
    """Flows per pair of endpoints, where flows are hashed."""

    points: tuple[tuple[float, float, float], ...] = ()
    """Ranks, and the efficiency there of exchange and of all_to_all; scales rising; only where
    `value` is ``measured``."""


class Switch(_Part, frozen=True, kw_only=True):
    """One kind of switch."""

    ports: Figure
    port_rate: Figure
    """One direction, in bit/s; a port may be broken out into links of a lower rate."""

    power: Figure
    """Without optics, in W."""

    price: Figure
    """In USD."""


class Network(_Part, frozen=True, kw_only=True):
    """How endpoints meet the network. The two meanings of plane are apart."""

    nic_rate: Figure
    """One NIC per endpoint, one direction, in bit/s."""

    planes_per_nic: Figure
    """Planes over which every NIC is split: a NIC is in all of them."""

    rail_planes: Figure
    """Planes among which the NICs of a node are dealt out: a NIC is in one of them."""

    rails: Figure
    """Leaves, per plane, over which the NICs of a node are spread."""

    optic_energy: Figure
    """Of one optical end, in J/bit."""

    optic_price: Figure
    """Of one optical end at the NIC's rate, in USD."""


class Power(_Part, frozen=True, kw_only=True):
    """Power of an endpoint and of the site."""

    all_in: dict[str, Figure]
    """Case -> everything the site draws per endpoint, in W."""

    supply: dict[str, Figure] = {}
    """Case -> what the site has or claims, in W."""

    peak: Figure
    """Arithmetic of one endpoint, BF16 dense, in flop/s."""


class Cost(_Part, frozen=True, kw_only=True):
    """Cost of the hardware."""

    hardware: Figure
    """USD per endpoint, network included, without building."""

    network_share: Figure


class Failure(_Part, frozen=True, kw_only=True):
    """How often a job stops."""

    rate: Figure
    """Failures that stop the job, per node and day."""

    node: Figure
    """Endpoints per node of that rate."""


class Tier(_Part, frozen=True, kw_only=True):
    """One level of the network: what a message pays whose ends meet there."""

    name: str
    size: Figure
    """Endpoints (ranks) below one domain of this tier."""

    rate: Figure
    """Line rate of one endpoint into this tier, one direction, in bytes/s."""

    latency: Figure
    """Time of a short message from end to end through this tier, short cables included, in s."""

    cable: Figure
    """Cable on the way, one direction, beyond what `latency` was measured with, in m."""

    oversubscription: Figure
    """Bandwidth of the endpoints below over that of the links upwards into this tier."""

    efficiency: dict[Pattern, Figure]
    """Share of `rate` that a pattern gets, all endpoints sending at once."""

    routing: Routing
    in_network_reduction: Trait
    """Whether switches reduce: ``none``, ``nvls`` or ``sharp``."""

    switch: str = ""
    """Its kind, a name in `switches`; "" inside a scale-up domain."""

    link_rate: Figure | None = None
    """One link from the tier below, in bit/s; only with a switch."""

    optical_ends: Figure | None = None
    """Optical ends of such a link: 0 for copper, 2 for fibre; only with a switch."""


class Fabric(_Part, frozen=True, kw_only=True):
    """A network of tiers, innermost first."""

    schema: int
    name: str
    title: str
    description: str
    """What was published, and what was chosen in place of what was not."""

    endpoints: Figure
    """Ranks that the fabric connects."""

    overhead: Figure
    """Time of a call apart from its messages, in s."""

    propagation: Figure
    """Signal time in cables, in s/m."""

    reduction_rate: Figure
    """Bytes of a rank's own vector reduced per second, in bytes/s."""

    tiers: tuple[Tier, ...]
    network: Network | None = None
    """None where the fabric ends inside one machine; so the next four."""

    switches: dict[str, Switch] = {}
    power: Power | None = None
    cost: Cost | None = None
    failure: Failure | None = None
    facts: tuple[str, ...] = ()
    """Files of shared figures that formulas may name."""

    constants: dict[str, Figure] = {}
    """Figures that formulas use."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """Ranks in one domain of every tier."""
        return tuple(round(tier.size.value) for tier in self.tiers)

    def figures(self) -> dict[str, Figure]:
        """Return every figure by the name that formulas and messages use."""
        found = {
            "endpoints": self.endpoints,
            "overhead": self.overhead,
            "propagation": self.propagation,
            "reduction_rate": self.reduction_rate,
            **self.constants,
        }
        for tier in self.tiers:
            found |= dict(_figures_in(tier.name, tier))
        for name in ("network", "power", "cost", "failure"):
            found |= dict(_figures_in(name, getattr(self, name)))
        for name, switch in self.switches.items():
            found |= dict(_figures_in(name, switch))
        return found


def _figures_in(name: str, part: object) -> Iterator[tuple[str, Figure]]:
    """Yield the figures of a section under dotted names."""
    if isinstance(part, Figure):
        yield name, part
    elif isinstance(part, dict):
        for key, value in part.items():
            yield from _figures_in(f"{name}.{key}", value)
    elif isinstance(part, _Part):
        for field in part.__struct_fields__:
            yield from _figures_in(f"{name}.{field}", getattr(part, field))
