"""Fabric, Tier and Figure: the shape of a fabric file, as immutable values.

Every number of a fabric is a `Figure`: value, unit, source, status, date, and, where it is not
exact, the range in which it lies with 90 % probability. Rules that concern several fields are in
``check``.
"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["SCHEMA", "STATUSES", "Fabric", "Figure", "Pattern", "Tier"]

Pattern = Literal["exchange", "all_to_all"]
"""Traffic whose efficiency differs: one partner at a time, or everybody."""


SCHEMA = 1
"""Major version of the file's shape; files of another are refused."""

STATUSES = ("primary", "secondary", "derived", "assumed")
"""Text of the maker or operator; somebody's report; computed from other figures; neither."""


class Figure(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One number and where it comes from."""

    value: float
    unit: str
    source: str
    status: Literal["primary", "secondary", "derived", "assumed"]
    date: str
    """When the source said so: YYYY, YYYY-MM or YYYY-MM-DD."""

    low: float | None = None
    """5 % quantile of what the figure may be, judged; None, with `high`, for an exact figure."""

    high: float | None = None
    """95 % quantile."""

    formula: str | None = None
    """How a derived figure follows from others, such as ``pod.latency + 2 * hop_latency``."""


class Tier(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
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

    routing: str
    """How flows share links, and how well that is known."""


class Fabric(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
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
            for field in ("size", "rate", "latency", "cable", "oversubscription"):
                found[f"{tier.name}.{field}"] = getattr(tier, field)
            for pattern, figure in tier.efficiency.items():
                found[f"{tier.name}.efficiency.{pattern}"] = figure
        return found
