"""A measured machine as a fabric: one tier whose latency and rate a campaign's fit gives.

latency = alpha        rate = 1 / beta        overhead = overhead        (fitted, 90 % interval)
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

import msgspec

from ...bench.errors import CaseError
from .check import check_fabric
from .fabric import Figure
from .load import load_fabric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..fit import Fit
    from .fabric import Fabric

__all__ = ["machine_fabric"]

_LEAST = {"overhead": 1e-9, "alpha": 1e-9, "beta": 1e-14}  # what the rules of a fabric allow


def machine_fabric(name: str, fits: Sequence[Fit], campaign: str) -> Fabric:
    """Return ``this-machine`` with what a campaign fitted in place of what it assumes.

    Raises
    ------
    CaseError
        If no series has a curve.
    """
    fit = next((found for found in fits if found.curve is not None), None)
    if fit is None or fit.curve is None:
        reasons = "; ".join(f"{found.key}: {found.reason}" for found in fits)
        raise CaseError(f"{campaign}: found no fit, expected 1 to fill the fabric: {reasons}")
    base = load_fabric("this-machine")
    source = f"{campaign}: {fit.key.collective}, {fit.key.transport}, model {fit.curve.model}"
    date = "2026"
    found = {
        parameter.name: (parameter.value, parameter.low, parameter.high)
        for parameter in fit.curve.parameters
    }

    def figure(old: Figure, parameter: str, *, inverse: bool = False) -> Figure:
        """Replace a figure by a fitted parameter where it was identified."""
        if parameter not in found or not found[parameter][0] > 0:
            return old
        least = _LEAST[parameter]
        value, low, high = (max(float(end), least) for end in found[parameter])
        if inverse:
            value, low, high = 1 / value, 1 / high, 1 / low
        if not all(map(isfinite, (value, low, high))):
            return old
        return Figure(
            value=value, low=min(low, value), high=max(high, value), unit=old.unit, source=source,
            status="fitted", date=date,
        )  # fmt: skip

    ranks = max(row.ranks for row in fit.rows)
    size = Figure(value=float(max(2, ranks)), unit="ranks", source=f"{campaign}: most ranks",
                  status="measured", date=date)  # fmt: skip
    tier = msgspec.structs.replace(
        base.tiers[0],
        size=size,
        latency=figure(base.tiers[0].latency, "alpha"),
        rate=figure(base.tiers[0].rate, "beta", inverse=True),
    )
    fabric = msgspec.structs.replace(
        base,
        name=name,
        title=f"{name}, as {campaign} measured it",
        description=f"Filled from {campaign}; what it did not identify is still assumed.",
        endpoints=size,
        overhead=figure(base.overhead, "overhead"),
        tiers=(tier,),
    )
    check_fabric(fabric)
    return fabric
