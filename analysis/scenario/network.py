"""The network's cost, from its parts, against the share of the hardware that files give it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..size import measure_size, range_of

if TYPE_CHECKING:
    from ..fabrics import Fabric

__all__ = ["compare_cost"]


def compare_cost(fabric: Fabric, gpus: int) -> str:
    """Say what the network costs per GPU by its parts and by its share; "" without a cost."""
    if fabric.cost is None:
        return ""
    parts = measure_size(fabric, gpus).cost_usd.scaled(1 / gpus)
    hardware, share = range_of(fabric.cost.hardware), range_of(fabric.cost.network_share)
    low, high = share.low * hardware.low, share.high * hardware.high
    apart = parts.low > high or parts.high < low
    outside = not low <= parts.value <= high
    verdict = (
        "they contradict each other" if apart
        else "the central figure lies outside, the ranges overlap" if outside
        else "they agree"
    )  # fmt: skip
    return (
        f"Network per GPU at {gpus:,}: {parts.low / 1e3:.1f} to {parts.high / 1e3:.1f} k USD by its"
        f" parts (list prices, without NICs and copper), {parts.value / hardware.value:.0%} of the "
        f"hardware; {low / 1e3:.1f} to {high / 1e3:.1f} k USD by published shares of "
        f"{share.low:.0%} to {share.high:.0%}: {verdict}."
    )
