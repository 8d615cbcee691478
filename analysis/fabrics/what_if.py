"""What if: a fabric with some figures replaced, as ``spine.oversubscription=4``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ...bench.errors import FabricError
from .check import check_fabric
from .fabric import Figure, Tier

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .fabric import Fabric

__all__ = ["what_if"]

_FIELDS = ("size", "rate", "latency", "cable", "oversubscription")
_PATTERNS = ("exchange", "all_to_all")


def what_if(fabric: Fabric, settings: Iterable[str]) -> Fabric:
    """Return the fabric with every setting applied: exact; what was derived from it stays.

    Parameters
    ----------
    settings
        As ``TIER.FIELD=VALUE``, in the unit of the figure; a field may be ``efficiency.exchange``
        or ``efficiency.all_to_all``, or ``efficiency`` for both.

    Raises
    ------
    FabricError
        If a setting has another form, there is no such tier or field, or the figure breaks a rule.
    """
    for text in settings:
        fabric = _set(fabric, text)
    return fabric


def _set(fabric: Fabric, text: str) -> Fabric:
    name, equals, number = text.partition("=")
    tier_name, dot, field = name.strip().partition(".")
    try:
        value = float(number)
    except ValueError:
        equals = ""
    if not equals or not dot:
        raise FabricError(f"--set: found {text!r}, expected such as spine.oversubscription=4")
    names = [tier.name for tier in fabric.tiers]
    if tier_name not in names:
        raise FabricError(
            f"--set: found tier {tier_name!r}, expected one of {', '.join(names)} of {fabric.name}"
        )
    place = names.index(tier_name)
    tier = _replaced(fabric.tiers[place], field, value)
    tiers = (*fabric.tiers[:place], tier, *fabric.tiers[place + 1 :])
    changed = msgspec.structs.replace(fabric, tiers=tiers)
    try:
        check_fabric(_without_formulas(changed))
    except FabricError as error:
        raise FabricError(f"--set {text}: {error}") from error
    return changed


def _replaced(tier: Tier, field: str, value: float) -> Tier:
    kind, _, pattern = field.partition(".")
    if field in _FIELDS:
        return msgspec.structs.replace(tier, **{field: _exactly(getattr(tier, field), value)})
    if kind == "efficiency" and pattern in {"", *_PATTERNS}:
        efficiency = {
            name: _exactly(figure, value) if pattern in {"", name} else figure
            for name, figure in tier.efficiency.items()
        }
        return msgspec.structs.replace(tier, efficiency=efficiency)
    known = (*_FIELDS, "efficiency", *(f"efficiency.{name}" for name in _PATTERNS))
    raise FabricError(
        f"--set: found field {field!r} of tier {tier.name}, expected one of {', '.join(known)}"
    )


def _exactly(figure: Figure, value: float) -> Figure:
    return msgspec.structs.replace(
        figure, value=value, low=None, high=None, formula=None, status="assumed",
        source="asked for: what if",
    )  # fmt: skip


def _without_formulas(fabric: Fabric) -> Fabric:
    """Return the fabric with every tier's figures as if given.

    Those derived from one that was set keep the values that they had, and would be refused for it.
    """

    def given(figure: Figure) -> Figure:
        if figure.formula is None:
            return figure
        return msgspec.structs.replace(figure, formula=None, status="assumed")

    def tier_of(tier: Tier) -> Tier:
        values = {
            name: given(part)
            for name, part in msgspec.structs.asdict(tier).items()
            if isinstance(part, Figure)
        }
        efficiency = {name: given(figure) for name, figure in tier.efficiency.items()}
        return msgspec.structs.replace(tier, **values, efficiency=efficiency)

    return msgspec.structs.replace(fabric, tiers=tuple(map(tier_of, fabric.tiers)))
