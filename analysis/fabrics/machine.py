"""A measured machine as a fabric: one tier whose latency and rate a campaign's fit gives.

latency = alpha        rate = 1 / beta        overhead = overhead        (fitted, 90 % interval)
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

import msgspec

from ...bench.errors import CaseError
from .check import check_fabric
from .fabric import Figure, Status
from .load import load_fabric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..dataset import Row
    from ..fit import Fit
    from .fabric import Fabric

__all__ = ["machine_fabric"]

_DATE = "2026"
_FIELDS = {"overhead": ("overhead", "s"), "alpha": ("latency", "s"), "beta": ("rate", "bytes/s")}
_LEAST = {"overhead": 1e-9, "alpha": 1e-9, "beta": 1e-14}  # what the rules of a fabric allow


def machine_fabric(name: str, fits: Sequence[Fit], campaign: str) -> Fabric:
    """Return ``this-machine`` with what a campaign says in place of what it assumes.

    Raises
    ------
    CaseError
        If no series has a curve, and none is an all-reduce on several ranks at several sizes.
    """
    fit = next((found for found in fits if found.curve is not None), None)
    two = next((found for found in fits if _usable(found)), None)
    base = load_fabric("this-machine")
    if fit is not None:
        fabric = _filled(base, fit, _fitted(fit, campaign), campaign)
    elif two is not None:
        fabric = _filled(base, two, _measured(two, campaign), campaign)
    else:
        reasons = "; ".join(f"{found.key}: {found.reason}" for found in fits)
        raise CaseError(f"{campaign}: found no fit, expected 1 to fill the fabric: {reasons}")
    fabric = msgspec.structs.replace(
        fabric,
        name=name,
        title=f"{name}, as {campaign} measured it",
        description=f"Filled from {campaign}; what it did not identify is still assumed.",
    )
    check_fabric(fabric)
    return fabric


def _fitted(fit: Fit, campaign: str) -> dict[str, Figure]:
    """Return parameters of a curve as figures of a fabric."""
    assert fit.curve is not None, "chosen for its curve"
    source = f"{campaign}: {fit.key.collective}, {fit.key.transport}, model {fit.curve.model}"
    found = {}
    for parameter in fit.curve.parameters:
        field, unit = _FIELDS.get(parameter.name, ("", ""))
        if not field or not parameter.value > 0:
            continue
        least = _LEAST[parameter.name]
        value, low, high = (
            max(float(end), least) for end in (parameter.value, parameter.low, parameter.high)
        )
        if field == "rate":
            value, low, high = 1 / value, 1 / high, 1 / low
        if all(map(isfinite, (value, low, high))):
            found[field] = _figure(value, low, high, unit, source, "fitted")
    return found


def _usable(fit: Fit) -> bool:
    cells = _cells(fit)
    return fit.key.collective == "all_reduce" and len(cells) > 1


def _cells(fit: Fit) -> list[Row]:
    """Return the rows of the most ranks that may be fitted, sizes rising."""
    used = [row for row in fit.rows if row.fit_for_fitting and row.ranks > 1]
    most = max((row.ranks for row in used), default=0)
    return sorted((r for r in used if r.ranks == most), key=lambda row: row.message_bytes)


def _measured(fit: Fit, campaign: str) -> dict[str, Figure]:
    """Return latency and rate off the smallest and the largest size, with the medians' ends."""
    first, last = _cells(fit)[0], _cells(fit)[-1]
    ranks = first.ranks
    source = f"{campaign}: all_reduce on {ranks} ranks, {fit.key.transport}"
    rounds = (ranks - 1).bit_length()
    found = {
        "latency": _figure(
            first.median_s / rounds, first.low_s / rounds, first.high_s / rounds, "s",
            f"{source}, {first.message_bytes} B; the call's overhead is in it", "measured",
        )
    }  # fmt: skip
    sent = 2 * (ranks - 1) / ranks * (last.message_bytes - first.message_bytes)
    ends = (last.median_s - first.median_s, last.low_s - first.high_s, last.high_s - first.low_s)
    if all(isfinite(end) and end > 0 for end in ends):
        value, high, low = (sent / end for end in ends)
        text = f"{source}, {first.message_bytes} to {last.message_bytes} B"
        found["rate"] = _figure(value, low, high, "bytes/s", text, "measured")
    return found


def _figure(
    value: float, low: float, high: float, unit: str, source: str, status: Status
) -> Figure:
    """Return a figure; ends that are not known, or on the wrong side, are its value."""
    return Figure(
        value=value,
        low=min(low, value) if isfinite(low) and low > 0 else value,
        high=max(high, value) if isfinite(high) else value,
        unit=unit,
        source=source,
        status=status,
        date=_DATE,
    )


def _filled(base: Fabric, fit: Fit, found: dict[str, Figure], campaign: str) -> Fabric:
    """Return the fabric with what was found in place of what it assumes."""
    ranks = max(row.ranks for row in fit.rows)
    text = f"{campaign}: most ranks"
    size = Figure(value=float(max(2, ranks)), unit="ranks", source=text, status="measured",
                  date=_DATE)  # fmt: skip
    named = {field: figure for field, figure in found.items() if field != "overhead"}
    tier = msgspec.structs.replace(base.tiers[0], size=size, **named)
    overhead = found.get("overhead", base.overhead)
    return msgspec.structs.replace(base, endpoints=size, overhead=overhead, tiers=(tier,))
